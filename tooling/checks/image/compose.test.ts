import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { environment, readEnvironment } from '../../../apps/api/src/env.ts';
import { readWorkerEnvironment, workerEnvironment } from '../../../apps/worker/src/env.ts';
import { ROOT } from './dockerfile.ts';

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly ports?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** What compose makes of `${NAME}`, `${NAME:?}` and `${NAME:-standard}`. */
const interpolated = (text: string, given: Readonly<Record<string, string | undefined>>): string =>
  text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_all, name: string, sign: string | undefined, more: string) => {
    const value = given[name];
    if (value) return value;
    if (sign === '-') return more;
    throw new Error(`${name} is not set.`);
  });

const filled = (value: unknown, given: Readonly<Record<string, string | undefined>>): unknown => {
  if (typeof value === 'string') return interpolated(value, given);
  if (Array.isArray(value)) return value.map((each) => filled(each, given));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, filled(each, given)]));
};

const load = async (given: Readonly<Record<string, string | undefined>>): Promise<Compose> =>
  filled(parse(await readFile(join(ROOT, 'compose.yaml'), 'utf8'), { merge: true }), given) as Compose;
const example = async () => parseEnv(await readFile(join(ROOT, 'compose.env.example'), 'utf8'));

describe('compose.yaml', () => {
  let compose: Compose;
  beforeAll(async () => {
    compose = await load(await example());
  });
  const environmentOf = (name: string) => compose.services[name]?.environment ?? {};

  test('has all parts of production, with exact versions', () => {
    expect(Object.keys(compose.services).sort()).toEqual(
      ['api', 'kafka', 'mariadb', 'memcached', 'migrate', 'postgres', 'schema-registry', 'worker'].sort(),
    );
    for (const [name, { image, build }] of Object.entries(compose.services))
      if (!build) expect(image, name).toMatch(/:\d+\.\d+(\.\d+)?$/);
  });

  test('names stages, services, conditions and volumes that there are', async () => {
    const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
    for (const [name, service] of Object.entries(compose.services)) {
      if (service.build) expect(dockerfile).toMatch(new RegExp(`^FROM \\w+ AS ${service.build.target}$`, 'm'));
      for (const volume of service.volumes ?? [])
        expect(Object.keys(compose.volumes), name).toContain(volume.split(':')[0]);
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        const needed = compose.services[other];
        expect(needed, `${name} needs ${other}`).toBeDefined();
        if (condition === 'service_healthy') expect(needed?.healthcheck, other).toBeDefined();
      }
    }
  });

  test.each([
    ['api', environment.shape],
    ['migrate', environment.shape],
    ['worker', workerEnvironment.shape],
  ])('%s is given only variables that it knows', (name, shape) => {
    expect(Object.keys(environmentOf(name)).filter((variable) => !(variable in shape))).toEqual([]);
  });

  test('API and worker start with what the example file and compose.yaml give them, in production', () => {
    expect(readEnvironment(environmentOf('api'))).toMatchObject({ NODE_ENV: 'production', SANDBOX: false });
    const worker = readWorkerEnvironment(environmentOf('worker'));
    expect(worker).toMatchObject({ NODE_ENV: 'production', KAFKA_BROKERS: ['kafka:9092'] });
  });

  test('addresses inside lead to services and to the ports on which they listen', () => {
    const { DATABASE_URL, JOBS_DATABASE_URL, SCHEMA_REGISTRY_URL } = environmentOf('worker');
    for (const url of [DATABASE_URL, JOBS_DATABASE_URL, SCHEMA_REGISTRY_URL])
      expect(Object.keys(compose.services)).toContain(new URL(url ?? '').hostname);
    const { MARIADB_DATABASE, MARIADB_USER, MARIADB_PASSWORD } = environmentOf('mariadb');
    expect(DATABASE_URL).toBe(`mysql://${MARIADB_USER}:${MARIADB_PASSWORD}@mariadb:3306/${MARIADB_DATABASE}`);
    const { POSTGRES_DB, POSTGRES_USER, POSTGRES_PASSWORD } = environmentOf('postgres');
    expect(JOBS_DATABASE_URL).toBe(`postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`);
  });

  test('nothing covers the compiled code in the image of the worker', async () => {
    const dockerfile = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
    const folder = /NODE_COMPILE_CACHE=(\S+)/.exec(dockerfile)?.[1] ?? '';
    expect(folder).toMatch(/^\//);
    const { tmpfs = [], volumes = [] } = compose.services.worker ?? {};
    const covered = [...tmpfs, ...volumes.map((volume) => volume.split(':')[1] ?? '')];
    expect(covered.filter((path) => `${folder}/`.startsWith(`${path}/`))).toEqual([]);
  });

  test('refuses to start without passwords, addresses and keys', async () => {
    const given = await example();
    const required = Object.keys(given).filter((name) => given[name] && !/^JWT_(AUDIENCE|PUBLIC)/.test(name));
    expect(required.length).toBeGreaterThan(6);
    for (const name of required)
      await expect(load({ ...given, [name]: '' }), name).rejects.toThrow(`${name} is not set.`);
  });
});
