import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const NUMBER = /\bR-[A-Z]+-\d+\b/g;

const defined = globSync('docs/rules/*.md', { cwd: ROOT }).flatMap((path) =>
  [...readFileSync(ROOT + path, 'utf8').matchAll(/\*\*(R-[A-Z]+-\d+)\*\*/g)].map(([, number = '']) => number),
);

test('every rule that the repository cites is in docs/rules', () => {
  const files = execFileSync('git', ['ls-files', '*.ts', '*.md', ':!docs/rules'], { cwd: ROOT, encoding: 'utf8' });
  const cited = files
    .split('\n')
    .filter((path) => path !== '')
    .flatMap((path) => readFileSync(ROOT + path, 'utf8').match(NUMBER) ?? []);
  expect(new Set(cited).size).toBeGreaterThan(100);
  expect([...new Set(cited)].filter((number) => !defined.includes(number)).toSorted()).toEqual([]);
});

test('no rule is defined twice', () => {
  expect(defined.filter((number, at) => defined.indexOf(number) !== at)).toEqual([]);
});
