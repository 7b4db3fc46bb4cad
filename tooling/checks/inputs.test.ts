import { readFileSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './image/dockerfile.ts';

const { nx } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  nx: { targets: Record<string, { inputs: string[] }> };
};

/** Targets that run again after a change of the file. */
const targetsOf = (file: string): string[] =>
  Object.entries(nx.targets)
    .filter(([, { inputs }]) => inputs.some((input) => matchesGlob(file, input.replace('{workspaceRoot}/', ''))))
    .map(([target]) => target)
    .sort();

describe('an edit runs only the checks that read the file', () => {
  test.each([
    ['README.md', []],
    ['docs/operations/recovery.md', []],
    ['packages/db/src/model.ts', ['fence', 'knip', 'lint', 'typecheck']],
    ['packages/db/package.json', ['fence', 'knip', 'lint', 'typecheck']],
    ['Dockerfile', []],
    ['biome.json', ['lint', 'typecheck']],
  ])('%s', (file, targets) => {
    expect(targetsOf(file)).toEqual(targets);
  });
});
