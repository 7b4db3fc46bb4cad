import type { Dialect } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { type Composition, decisionsStored, service as ofAllSlices } from '@enterprise-access/domain';
import { contentWith, emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { loggerOptions } from '@enterprise-access/platform';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { makeToken } from '@enterprise-access/start/token';
import { pino } from 'pino';
import { inject } from 'vitest';
import { indiscretionOfReply } from '../../../../tooling/test/discretion.ts';
import { watchLocks } from '../../../../tooling/test/locks.ts';
import { openLog } from '../../../../tooling/test/logs.ts';
import { watchRecords } from '../../../../tooling/test/records.ts';
import { buildApp } from '../../src/app.ts';
import { readEnvironment } from '../../src/env.ts';
import { judge } from './conformance.ts';

export const SECRET = 'a secret of the tests only';
export const run: string = demonstration.run;
export { demonstration };

/** Dialects with an available server; the run reports the missing ones at its end. */
export const dialects = (['postgres', 'mysql'] as const).filter(
  (dialect) => !('skipped' in inject('servers')[dialect]),
);

export const testEnvironment = (change: Record<string, string> = {}) =>
  readEnvironment({
    NODE_ENV: 'test',
    DATABASE_URL: 'postgres://unused',
    JWT_SECRET_KEY: SECRET,
    LMS_URL: 'http://lms.test',
    ENTERPRISE_CATALOG_URL: 'http://catalog.test',
    OAUTH2_URL: 'http://lms.test',
    BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
    BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
    THROTTLE_ACTOR_PER_MINUTE: '1000000',
    ...change,
  });

export const tokenFor = (
  role: string,
  enterprise: string,
  userId: number,
  more: { isStaff?: boolean; email?: string } = {},
): string => makeToken({ roles: [role], enterprise, userId, secret: SECRET, ...more });

export const learnerToken = (userId: number): string => tokenFor('enterprise_learner', demonstration.customer, userId);
export const operatorToken = (): string => tokenFor('enterprise_openedx_operator', '*', 7);

/** Passes the permission check of every operation but those for service accounts. */
export const anyRoleToken = (): string =>
  makeToken({
    roles: ['enterprise_openedx_operator', 'enterprise_provisioning_admin'],
    enterprise: '*',
    userId: 7,
    isStaff: true,
    secret: SECRET,
  });

/** Starts an application with its own database, demo data, learners and course. */
export async function startApp(
  dialect: Dialect,
  options: { poolSize?: number; env?: Record<string, string>; service?: Composition } = {},
) {
  const { service = ofAllSlices } = options;
  const { db, url, drop } = await createTestDatabase(inject('servers'), dialect, options.poolSize ?? 10);
  await seedDemonstration(db);
  const locks = watchLocks(db);
  const records = watchRecords(db, service.tables.values());
  const world = emptyWorld();
  for (let id = 1_000; id < 2_000; id += 1) {
    world.learners.set(`${demonstration.customer}:${id}`, {
      lmsUserId: id,
      email: `learner-${id}@demo.example`,
      groupUuids: [],
    });
  }
  world.customers.set(demonstration.customer, {
    uuid: demonstration.customer,
    name: 'Demo Company',
    slug: 'demo-company',
    contactEmail: 'learning@demo.example',
    senderAlias: null,
    defaultLanguage: null,
    isWithoutLearnerPortal: false,
    admins: [{ email: 'admin@demo.example', lmsUserId: 900 }],
  });
  world.contents.set(run, contentWith({}));
  world.catalogs.set(demonstration.catalog, demonstration.customer);
  world.catalogs.set(demonstration.otherCatalog, demonstration.otherCustomer);
  world.groups.set(demonstration.group, { customerUuid: demonstration.customer, invitations: new Map() });
  const logger = pino(loggerOptions('info'), pino.destination({ fd: openLog(inject('logFolder')) }));
  const runtime = testRuntime(db, world, { log: logger }, service);
  const app = await buildApp({ env: testEnvironment(options.env), runtime, logger, service });
  const call = async (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    token: string | null,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => {
    const reply = await app.inject({
      method,
      url: path,
      headers: { ...(token === null ? {} : { authorization: `JWT ${token}` }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    const given = indiscretionOfReply(reply.statusCode, reply.body);
    if (given !== null) throw new Error(`${method} ${path} gives away ${given}: ${reply.body.slice(0, 500)}`);
    judge({ method, url: path }, reply);
    return {
      status: reply.statusCode,
      body:
        reply.body === ''
          ? null
          : reply.headers['content-type']?.toString().includes('json')
            ? reply.json()
            : reply.body,
      headers: reply.headers,
    };
  };
  return {
    app,
    db,
    url,
    world,
    runtime,
    call,
    locks,
    records,
    async stop() {
      await app.close();
      await decisionsStored(db);
      await records.assertChained().finally(drop);
      locks.assertInOrder();
      records.assertRecorded();
    },
  };
}
