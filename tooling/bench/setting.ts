import type { Database, Dialect } from '@enterprise-access/db';
import { createTestDatabase, type TestServers } from '@enterprise-access/db/testing';
import { decisionsStored, type Learner, type Settings as SliceSettings, service } from '@enterprise-access/domain';
import { contentWith, emptyWorld, testRuntime, type World } from '@enterprise-access/domain/testing';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { makeToken } from '@enterprise-access/start/token';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../apps/api/src/app.ts';
import { readEnvironment } from '../../apps/api/src/env.ts';

export const PRICE_CENTS = 100;
export const CLIENTS = 16;
export const RUN = 'course-v1:edX+DemoX+2T2026';
const SECRET = 'a secret of the benchmarks only';

/** A map in which every id is a learner of the customer. */
class EveryLearner extends Map<string, Learner> {
  override get(key: string): Learner {
    const lmsUserId = Number(key.split(':')[1]);
    return { lmsUserId, email: `learner-${lmsUserId}@demo.example`, groupUuids: [] };
  }
  override has(): boolean {
    return true;
  }
}

export function bigWorld(): World {
  const world: World = { ...emptyWorld(), learners: new EveryLearner() };
  world.customers.set(demonstration.customer, {
    uuid: demonstration.customer,
    name: 'Demo Company',
    slug: 'demo-company',
    contactEmail: 'learning@demo.example',
    senderAlias: null,
    defaultLanguage: null,
    isWithoutLearnerPortal: false,
    admins: [],
  });
  const keys = [RUN, ...Array.from({ length: 30 }, (_, index) => `course-v1:edX+C${index}+2T2026`)];
  for (const key of keys) world.contents.set(key, contentWith({ courseRunKey: key, priceCents: PRICE_CENTS }));
  return world;
}

export const environment = () =>
  readEnvironment({
    NODE_ENV: 'test',
    DATABASE_URL: 'postgres://unused',
    JWT_SECRET_KEY: SECRET,
    LMS_URL: 'http://lms.test',
    ENTERPRISE_CATALOG_URL: 'http://catalog.test',
    OAUTH2_URL: 'http://lms.test',
    BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
    BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
    THROTTLE_ACTOR_PER_MINUTE: '10000000',
  });

export const operatorToken = (): string =>
  makeToken({ roles: ['enterprise_openedx_operator'], enterprise: '*', userId: 7, isStaff: true, secret: SECRET });

export interface Setting {
  readonly app: FastifyInstance;
  readonly db: Database;
  readonly url: string;
  readonly token: string;
  get(path: string): Promise<unknown>;
  redeem(lmsUserId: number): Promise<void>;
  stop(): Promise<void>;
}

export const canRedeemPath = (lmsUserId: number, keys: readonly string[]): string => {
  const query = new URLSearchParams([
    ['lms_user_id', String(lmsUserId)],
    ...keys.map((key): [string, string] => ['content_key', key]),
  ]);
  return `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?${query}`;
};

/** The application on a database of its own, with one policy that pays for as much as anybody wants. */
export async function makeSetting(
  servers: TestServers,
  dialect: Dialect,
  world: World = bigWorld(),
  settings: Partial<SliceSettings> = {},
): Promise<Setting> {
  const { db, url, drop } = await createTestDatabase(servers, dialect, 20);
  await seedDemonstration(db);
  await db('policies').where({ uuid: demonstration.spendPolicy }).update({ spend_limit_cents: null });
  await db('policies').whereNot({ uuid: demonstration.spendPolicy }).update({ active: false });
  await db('ledgers').update({ balance_cents: 1_000_000_000_000, deposits_cents: 1_000_000_000_000 });
  const standard = testRuntime(db, world);
  // As where no variable is set: tests keep more decisions than that.
  const asDeployed = { ...standard.settings, ...service.settings.standard(), ...settings };
  const app = await buildApp({ env: environment(), runtime: { ...standard, settings: asDeployed } });
  const token = operatorToken();
  const headers = { authorization: `JWT ${token}` };
  const redeemPath = `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`;
  return {
    app,
    db,
    url,
    token,
    async get(path) {
      const reply = await app.inject({ method: 'GET', url: path, headers });
      if (reply.statusCode !== 200) throw new Error(`GET ${path}: ${reply.statusCode} ${reply.body.slice(0, 500)}`);
      return reply.json();
    },
    async redeem(lmsUserId) {
      const payload = { lms_user_id: lmsUserId, content_key: RUN };
      const reply = await app.inject({ method: 'POST', url: redeemPath, headers, payload });
      if (reply.statusCode !== 200) throw new Error(`redeem: ${reply.statusCode} ${reply.body.slice(0, 500)}`);
    },
    async stop() {
      await app.close();
      await decisionsStored(db);
      await drop();
    },
  };
}

/** More policies of the customer, all like the first. */
export async function addPolicies(db: Database, count: number): Promise<void> {
  const { standing: _, ...policy } = await db('policies').where({ uuid: demonstration.spendPolicy }).first();
  const copies = Array.from({ length: count }, () => ({ ...policy, uuid: crypto.randomUUID(), spent_cents: 0 }));
  await db('policies').insert(copies);
}

export const dialectsOf = (servers: TestServers): Dialect[] =>
  (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in servers[dialect]));
