import type { AddressInfo } from 'node:net';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { buildRuntime } from '@enterprise-access/platform';
import { startSandbox } from '@enterprise-access/sandbox';
import { EnterpriseAccess } from '@enterprise-access/sdk';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { databaseProxy } from '../support/database-proxy.ts';
import { demonstration, dialects, learnerToken, operatorToken, run, testEnvironment } from '../support/harness.ts';

const OUTAGE = 'the database is unavailable; requests that need it get 503';

describe.each(dialects)('the database fails, on %s', (dialect) => {
  const started: { stop(): Promise<unknown> }[] = [];
  const lines: string[] = [];
  const log = {
    info: () => undefined,
    warn: (_details: object, message: string) => void lines.push(message),
    error: (_details: object, message: string) => void lines.push(message),
  };
  let world: Awaited<ReturnType<typeof start>>;

  async function start() {
    const database = await createTestDatabase(inject('servers'), dialect);
    started.push({ stop: database.drop });
    await seedDemonstration(database.db);
    const proxy = await databaseProxy(database.url);
    started.push({ stop: proxy.close });
    const sandbox = await startSandbox();
    started.push({ stop: () => sandbox.close() });
    const env = testEnvironment({
      DATABASE_URL: proxy.url,
      DATABASE_POOL_SIZE: '4',
      LMS_URL: `${sandbox.url}/lms`,
      ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
      OAUTH2_URL: sandbox.url,
    });
    const runtime = buildRuntime(env, log, 'http://access.test', { statementTimeoutMs: 2_000 });
    started.push({ stop: () => runtime.close() });
    const app = await buildApp({ env, runtime });
    started.push({ stop: () => app.close() });
    await app.listen({ host: '127.0.0.1', port: 0 });
    return { app, db: database.db, proxy, url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` };
  }

  beforeAll(async () => {
    world = await start();
  });
  afterEach(() => {
    world.proxy.giveBack();
    lines.length = 0;
  });
  afterAll(async () => {
    for (const { stop } of started.reverse()) await stop();
  });

  const redeemInput = (learner: number) => ({
    policyUuid: demonstration.enrollmentPolicy,
    lmsUserId: learner,
    contentKey: run,
  });
  const overRest = (learner: number) =>
    world.app.inject({
      method: 'POST',
      url: `/api/v1/policy-redemption/${demonstration.enrollmentPolicy}/redeem/`,
      headers: { authorization: `JWT ${learnerToken(learner)}` },
      payload: { lms_user_id: learner, content_key: run },
    });
  const overTrpc = (learner: number) =>
    world.app.inject({
      method: 'POST',
      url: '/trpc/redemptions.redeem',
      headers: { authorization: `JWT ${learnerToken(learner)}`, 'idempotency-key': `outage-${learner}` },
      payload: { json: redeemInput(learner) },
    });
  const listPolicies = () =>
    world.app.inject({
      url: `/api/v1/subsidy-access-policies/?enterprise_customer_uuid=${demonstration.customer}`,
      headers: { authorization: `JWT ${operatorToken()}` },
    });

  /** Both transports say that trying again helps, and when. */
  async function expectDeclared(learner: number) {
    const [rest, trpc] = await Promise.all([overRest(learner), overTrpc(learner)]);
    for (const reply of [rest, trpc])
      expect([reply.statusCode, reply.headers['retry-after'], reply.body]).toEqual([503, '1', expect.any(String)]);
    expect(rest.json()).toEqual({ detail: expect.stringContaining('safe to retry') });
    expect(trpc.json().error.json.data).toMatchObject({
      httpStatus: 503,
      domain: { code: 'database_unavailable', details: { retryAfterSeconds: 1 } },
    });
  }

  test('away: 503 with Retry-After over both transports, one log line, nothing on stderr, and it recovers', async () => {
    const stderr = vi.spyOn(process.stderr, 'write');
    const warned = vi.spyOn(console, 'warn');
    try {
      expect((await listPolicies()).statusCode).toBe(200);
      expect((await overRest(1_001)).statusCode).toBe(200);
      world.proxy.takeAway();
      for (let round = 0; round < 5; round += 1) await expectDeclared(1_001);
      expect((await listPolicies()).statusCode).toBe(503);
      expect((await world.app.inject({ url: '/ready' })).statusCode).toBe(503);
      expect(lines).toEqual([OUTAGE]);
      expect([stderr.mock.calls, warned.mock.calls]).toEqual([[], []]);
      world.proxy.giveBack();
      expect((await overRest(1_001)).statusCode).toBe(200);
    } finally {
      stderr.mockRestore();
      warned.mockRestore();
    }
  });

  test('the SDK repeats the call until the database is back, under one key and with one charge', async () => {
    const attempts: (number | null)[] = [];
    const client = new EnterpriseAccess({
      baseUrl: world.url,
      token: learnerToken(1_002),
      hooks: {
        onResponse({ status }) {
          attempts.push(status);
          world.proxy.giveBack();
        },
      },
    });
    world.proxy.takeAway();
    await client.redemptions.redeem(redeemInput(1_002));
    expect(attempts).toEqual([503, 200]);
    expect(await world.db('redemptions').where({ lms_user_id: 1_002 })).toHaveLength(1);
  });

  test('a connection lost in the middle of a mutation gives its key back', async () => {
    const client = new EnterpriseAccess({
      baseUrl: world.url,
      token: learnerToken(1_003),
      maxRetries: 4,
      hooks: { onResponse: () => world.proxy.giveBack() },
    });
    const lock = await world.db.transaction();
    await lock('policies').where({ uuid: demonstration.enrollmentPolicy }).forUpdate().first();
    const call = client.redemptions.redeem(redeemInput(1_003));
    await vi.waitFor(async () => expect(await world.db('idempotency_records')).toHaveLength(2));
    world.proxy.takeAway();
    await lock.rollback();
    await call;
    expect(await world.db('redemptions').where({ lms_user_id: 1_003 })).toHaveLength(1);
  });

  test('disk full: the same 503, and the database is not written to', async () => {
    const refuse =
      dialect === 'postgres'
        ? [
            `create function full_disk() returns trigger language plpgsql as $$ begin raise exception 'full' using errcode = '53100'; end $$`,
            'create trigger full_disk before insert on redemptions for each row execute function full_disk()',
          ]
        : [
            `create trigger full_disk before insert on redemptions for each row signal sqlstate 'HY000' set mysql_errno = 1021`,
          ];
    for (const sql of refuse) await world.db.raw(sql);
    await expectDeclared(1_004);
    await world.db.raw(`drop trigger full_disk ${dialect === 'postgres' ? 'on redemptions' : ''}`);
    expect((await overRest(1_004)).statusCode).toBe(200);
  });

  test('a COMMIT without an answer: the same 503 in bounded time over both transports, and one charge in the end', async () => {
    for (const [learner, send] of [
      [1_010, overRest],
      [1_011, overTrpc],
    ] as const) {
      world.proxy.hangAtCommit(0);
      const started = performance.now();
      const reply = await send(learner);
      expect([reply.statusCode, reply.headers['retry-after']]).toEqual([503, '1']);
      expect(performance.now() - started).toBeLessThan(9_000);
      world.proxy.giveBack();
      await vi.waitFor(async () => expect((await send(learner)).statusCode).toBe(200), {
        timeout: 5_000,
        interval: 250,
      });
      const charged = await world.db('redemptions').where({ lms_user_id: learner }).pluck('state');
      expect(charged).toEqual(['committed']);
    }
  });

  test.each([
    ['REST', 1_012, overRest],
    ['tRPC', 1_013, overTrpc],
  ] as const)(
    'after a failover a repeat does not wait for the request that died: %s',
    async (_where, learner, send) => {
      const inState = (state: string) => world.db('redemptions').where({ lms_user_id: learner, state });
      world.proxy.hangAtCommit(1);
      const dying = send(learner);
      await vi.waitFor(async () => expect(await inState('pending')).toHaveLength(1), 10_000);
      world.proxy.takeAway();
      expect((await dying).statusCode).toBe(503);
      world.proxy.giveBack();
      // Its key is given back behind the reply.
      await vi.waitFor(
        async () => expect(await world.db('idempotency_records').whereNull('reply')).toEqual([]),
        10_000,
      );
      const started = performance.now();
      const repeat = await send(learner);
      expect(performance.now() - started).toBeLessThan(3_500);
      expect([repeat.statusCode, repeat.body]).toEqual([200, expect.stringContaining('"committed"')]);
      expect(await inState('committed')).toHaveLength(1);
    },
  );

  test('a row that guards others is written, so that every node of a cluster knows of it', async () => {
    const holds = async () => Number((await world.db('policy_ceilings').max({ n: 'holds' }).first())?.n ?? 0);
    const before = await holds();
    const rest = await world.app.inject({
      method: 'PATCH',
      url: `/api/v1/subsidy-access-policies/${demonstration.enrollmentPolicy}/`,
      headers: { authorization: `JWT ${operatorToken()}` },
      payload: { description: 'one' },
    });
    const trpc = await world.app.inject({
      method: 'POST',
      url: '/trpc/policies.update',
      headers: { authorization: `JWT ${operatorToken()}` },
      payload: { json: { uuid: demonstration.enrollmentPolicy, description: 'two' } },
    });
    expect([rest.statusCode, trpc.statusCode]).toEqual([200, 200]);
    expect(await holds()).toBe(before + 2);
  });

  test('so is the configuration in which assignments are allocated, each time', async () => {
    const configuration = await world.db('assignment_configurations').first('uuid');
    const holds = async () =>
      Number((await world.db('assignment_configurations').where(configuration).first('holds')).holds);
    const before = await holds();
    for (const learner of ['one@demo.example', 'two@demo.example']) {
      const reply = await world.app.inject({
        method: 'POST',
        url: `/api/v1/policy-allocation/${demonstration.assignedPolicy}/allocate/`,
        headers: { authorization: `JWT ${operatorToken()}` },
        payload: { learner_emails: [learner], content_key: run, content_price_cents: 14_900 },
      });
      expect([reply.statusCode, reply.body]).toEqual([202, expect.any(String)]);
    }
    expect(await holds()).toBe(before + 2);
  });
});
