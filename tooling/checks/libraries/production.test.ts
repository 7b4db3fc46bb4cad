import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const IMPORT = /^(?:import|export)\s(?!type\s)[^'"]*?from\s+'([^'.][^']*)'|^import\s+'([^'.][^']*)'/gm;
const BUILT_IN = new Set(builtinModules);
/** Only these run in the tests and in development; the images leave them out. */
const FOR_TESTS = /(?:\.test|testing|testing-pool|slice-testing)\.ts$|\/(?:test|servers)\//;

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

const workspaces = globSync(['apps/*/package.json', 'packages/*/package.json'], { cwd: ROOT }).map(dirname);

test.each(workspaces)('what runs of %s imports only libraries that production installs', (workspace) => {
  const {
    name,
    dependencies = {},
    peerDependencies = {},
  } = JSON.parse(readFileSync(join(ROOT, workspace, 'package.json'), 'utf8'));
  const installed = new Set([name, ...Object.keys(dependencies), ...Object.keys(peerDependencies)]);
  const files = globSync(`${workspace}/src/**/*.ts`, { cwd: ROOT }).filter((file) => !FOR_TESTS.test(file));
  const missing = files.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)]
      .map(([, from, alone]) => from ?? alone ?? '')
      .filter((specifier) => !specifier.startsWith('node:') && !BUILT_IN.has(specifier))
      .filter((specifier) => !installed.has(packageOf(specifier)))
      .map((specifier) => `${file}: ${specifier}`),
  );
  expect(missing).toEqual([]);
});
