import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Dependency, directDependencies, productionDependencies, ROOT, workspaces } from './dependencies.ts';
import { shields } from './exceptions.ts';
import { hasTypes, isPermitted, offlineFindings, shieldFindings, unexplained } from './offline.ts';
import { compare, type Published } from './online.ts';

test('licences, types and shields of all libraries are as allowed', () => {
  expect(offlineFindings()).toEqual([]);
});

test('direct and indirect dependencies are found, of workspaces and nested ones', () => {
  const direct = directDependencies().map(({ name }) => name);
  expect(direct).toEqual(expect.arrayContaining(['vitest', 'zod', 'objection', '@redocly/cli']));
  expect(direct.some((name) => name.startsWith('@enterprise-access/'))).toBe(false);
  const shipped = productionDependencies(['apps/api', 'apps/worker']);
  expect(shipped.map(({ name }) => name)).toEqual(expect.arrayContaining(['pg-pool', 'fast-uri', 'kafkajs']));
  expect(shipped.map(({ name }) => name)).not.toContain('vitest');
  expect(workspaces).toEqual(expect.arrayContaining(['apps/api', 'tooling/checks']));
});

test.each([
  ['MIT', true],
  ['(MIT OR GPL-3.0-only)', true],
  ['Apache-2.0 AND MIT', true],
  ['MIT AND GPL-3.0-only', false],
  ['GPL-3.0-only', false],
  ['SEE LICENSE IN LICENSE', false],
  ['NONE', false],
])('licence %s is permitted: %s', (licence, permitted) => {
  expect(isPermitted(licence)).toBe(permitted);
});

test('types: own, beside the entry, in @types, or none', () => {
  expect(hasTypes('x', 'nowhere', { types: 'x.d.ts' })).toBe(true);
  expect(hasTypes('x', 'nowhere', { exports: { '.': { types: './x.d.ts' } } })).toBe(true);
  expect(hasTypes('cockatiel', 'node_modules/cockatiel', { main: 'dist/index.js' })).toBe(true);
  expect(hasTypes('pg', 'nowhere', {})).toBe(true);
  expect(hasTypes('x', 'nowhere', { main: 'x.js' })).toBe(false);
});

test('an exception explains a finding, and one that nothing needs is a finding', () => {
  const found = new Map([
    ['a', 'is wrong'],
    ['b', 'is wrong'],
  ]);
  expect(unexplained(found, { a: 'why', c: 'why' })).toEqual([
    'b: is wrong',
    'c: has an exception that it does not need',
  ]);
});

test.each(["import { Client } from 'memjs';", "const m = await import('memjs');", "import 'memjs/lib/x';"])(
  'a shielded library is not imported elsewhere: %s',
  (text) => {
    const files = new Map<string, string>();
    for (const [library, paths] of Object.entries(shields))
      for (const path of paths) files.set(path, `${files.get(path) ?? ''}import 'x' from '${library}';\n`);
    expect(shieldFindings(files)).toEqual([]);
    expect(shieldFindings(new Map([...files, ['apps/api/src/new.ts', text]]))).toEqual([
      'memjs: apps/api/src/new.ts must not import it',
    ]);
    files.delete('packages/db/src/model.ts');
    expect(shieldFindings(files)).toEqual(['objection: packages/db/src/model.ts does not import it']);
  },
);

describe('releases', () => {
  const now = new Date('2026-11-28T00:00:00Z');
  const uses = (version: string): Dependency => ({
    name: 'x',
    version,
    licence: 'MIT',
    path: 'node_modules/x',
    integrity: '',
    needs: [],
  });
  const compared = (published: Published, version = '1.9.0', old = {}, held = {}) =>
    compare([uses(version)], async () => published, { now, old, held });

  test('the highest stable version counts, whatever the order and the suffixes', async () => {
    const time = { created: '', '1.10.0': '2026-01-01', '1.9.0': '2025-12-01', '2.0.0-beta.1': '2026-02-01' };
    expect(await compared({ time })).toEqual({ findings: [], newer: ['x: 1.9.0, newest 1.10.0'] });
    expect(await compared({ time }, '1.10.0')).toEqual({ findings: [], newer: [] });
    expect(await compared({ time }, '1.9.0', {}, { x: 'Later.' })).toMatchObject({
      newer: ['x: 1.9.0, newest 1.10.0 (Later.)'],
    });
  });

  test('a release within 24 months counts as alive, of an older line too', async () => {
    expect(await compared({ time: { '1.9.0': '2024-11-28' } })).toMatchObject({ findings: [] });
    expect(await compared({ time: { '1.9.0': '2024-11-27' } })).toMatchObject({
      findings: ['x: last release 2024-11-27'],
    });
    expect(await compared({ time: { '1.9.0': '2024-11-27' } }, '1.9.0', { x: 'Nothing better.' })).toMatchObject({
      findings: [],
    });
    expect(await compared({ time: { '1.9.0': '2024-01-01', '1.8.5': '2026-01-01' } })).toMatchObject({ findings: [] });
  });

  test('a deprecated version is a finding', async () => {
    const published = { time: { '1.9.0': '2026-01-01' }, deprecated: 'Use y.' };
    expect(await compared(published)).toMatchObject({ findings: ['x: 1.9.0 is deprecated: Use y.'] });
  });

  test('without a network the command says so and succeeds', async () => {
    const env = { ...process.env, npm_config_registry: 'http://127.0.0.1:1/' };
    const main = join(ROOT, 'tooling/checks/libraries/main.ts');
    const { stdout } = await promisify(execFile)(process.execPath, [main, '--online'], { cwd: ROOT, env });
    expect(stdout).toBe(
      'Releases were not compared: the package registry cannot be reached.\nNothing is wrong with the libraries.\n',
    );
  });
});
