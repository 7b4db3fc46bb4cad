import type { AddressInfo } from 'node:net';
import type { Dialect } from '@enterprise-access/db';
import { createTestDatabase, type TestServers } from '@enterprise-access/db/testing';
import { buildRuntime } from '@enterprise-access/platform';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, sandboxBilling, sandboxMail, seedDemonstration } from '@enterprise-access/start/demonstration';
import { makeToken } from '@enterprise-access/start/token';
import { buildApp } from '../../apps/api/src/app.ts';
import { readEnvironment } from '../../apps/api/src/env.ts';
import type { Caller } from './trpc.ts';

const SECRET = 'a secret of generated requests only';

const token = (role: string, enterprise: string, userId: number, isStaff = false): string =>
  makeToken({ roles: [role], enterprise, userId, isStaff, secret: SECRET });

export const callers: readonly Caller[] = [
  { name: 'anonymous', token: null },
  { name: 'learner', token: token('enterprise_learner', demonstration.customer, 1_000) },
  { name: 'admin', token: token('enterprise_admin', demonstration.customer, 900) },
  { name: 'operator', token: token('enterprise_openedx_operator', '*', 7, true) },
];

/** Starts the API with its own database and the sandbox, on the loopback interface. */
export async function startTarget(servers: TestServers, dialect: Dialect) {
  const database = await createTestDatabase(servers, dialect, 10);
  await seedDemonstration(database.db);
  const sandbox = await startSandbox();
  const errors: string[] = [];
  const log = {
    info: () => undefined,
    warn: () => undefined,
    error: (what: unknown) => void errors.push(what instanceof Error ? String(what.stack) : JSON.stringify(what)),
  };
  const env = readEnvironment({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    JWT_SECRET_KEY: SECRET,
    LMS_URL: `${sandbox.url}/lms`,
    ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
    OAUTH2_URL: sandbox.url,
    BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
    BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
    THROTTLE_ACTOR_PER_MINUTE: '10000000',
    THROTTLE_ANONYMOUS_PER_MINUTE: '10000000',
    ENTERPRISE_SUBSIDY_CHECKSUM_SECRET_KEY: SECRET,
    ...sandboxMail(sandbox.url),
    ...sandboxBilling(sandbox.url),
  });
  const runtime = buildRuntime(env, log, 'http://access.test');
  const app = await buildApp({ env, runtime });
  const statuses: Record<string, number> = {};
  let requests = 0;
  app.server.on('request', (_request, response) => {
    response.on('finish', () => {
      requests += 1;
      statuses[response.statusCode] = (statuses[response.statusCode] ?? 0) + 1;
    });
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    db: database.db,
    errors,
    statuses,
    requests: () => requests,
    async stop() {
      await app.close();
      await runtime.close();
      await sandbox.close();
      await database.drop();
    },
  };
}
