import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ROOT } from './image/dockerfile.ts';

const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'docs', 'apps', 'packages', 'tooling'];
const OTHERS = ['javascript', 'json', 'css'].map((language) => `--${language}-formatter-enabled=false`);

// Not part of `npm run lint`: an edit of a document should not run its checks again.
test('Markdown files are formatted (`npx biome format --write PATH`)', async () => {
  const formatted = promisify(execFile)('npx', ['biome', 'format', ...OTHERS, ...DOCUMENTS], { cwd: ROOT });
  await expect(formatted).resolves.toBeDefined();
});
