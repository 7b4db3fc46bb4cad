import { createTestDatabase } from '@enterprise-access/db/testing';
import { auditBooks, auditDrift, reconcile } from '@enterprise-access/domain';
import { buildRuntime } from '@enterprise-access/platform';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { buildApp } from '../../src/app.ts';
import { demonstration, learnerToken, operatorToken, run, testEnvironment } from '../support/harness.ts';

const PRICE = 14_900;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** What other services do to us. A `latencyMs` is past every bound of these tests. */
const faults = [
  ['says nothing', { hang: true }],
  ['is too slow', { latencyMs: 4_000 }],
  ['fails', { status: 500 }],
  ['is overloaded', { status: 503, headers: { 'retry-after': '120' } }],
  ['asks for patience', { status: 429, headers: { 'retry-after': '60' } }],
  ['asks for patience and not for how much', { status: 429 }],
  ['resets connections', { dropConnection: true }],
  ['answers with a page', { garbage: true }],
  ['answers with half of its JSON', { body: '{"results": [{"uuid": "1' }],
  ['answers with another shape', { body: { hello: 'world' } }],
] as const;

/** Somewhat more than all bounds together, on a machine that has more to do. */
const BOUND_MS = 20_000;

async function startWorld(hasRemoteLedger: boolean) {
  const database = await createTestDatabase(inject('servers'), 'postgres', 10);
  await seedDemonstration(database.db);
  const sandbox = await startSandbox();
  const started: { stop(): Promise<void> }[] = [];

  /** The application with no memory of earlier failures. */
  async function startApp(change: Record<string, string> = {}) {
    const env = testEnvironment({
      DATABASE_URL: database.url,
      DATABASE_POOL_SIZE: '4',
      LMS_URL: `${sandbox.url}/lms`,
      ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
      OAUTH2_URL: sandbox.url,
      UPSTREAM_TIMEOUT_MS: '700',
      ENROLLMENT_TIMEOUT_MS: '1000',
      ...(hasRemoteLedger ? { ENTERPRISE_SUBSIDY_URL: `${sandbox.url}/subsidy` } : {}),
      ...change,
    });
    const runtime = buildRuntime(env, silent, 'http://access.test');
    const app = await buildApp({ env, runtime });
    started.push({
      async stop() {
        await app.close();
        await runtime.close();
      },
    });
    const call = async (method: 'GET' | 'POST', url: string, token: string, payload?: object) => {
      const start = performance.now();
      const reply = await app.inject({
        method,
        url,
        headers: { authorization: `JWT ${token}` },
        ...(payload && { payload }),
      });
      expect(performance.now() - start).toBeLessThan(BOUND_MS);
      return { status: reply.statusCode, body: reply.json(), headers: reply.headers };
    };
    return {
      runtime,
      canRedeem(learner: number, contentKey = run) {
        const query = `content_key=${encodeURIComponent(contentKey)}`;
        const path = `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?${query}`;
        return call('GET', path, learnerToken(learner));
      },
      canRedeemByTrpc(learner: number, contentKey = run) {
        const input = { json: { enterpriseCustomerUuid: demonstration.customer, contentKey: [contentKey] } };
        const path = `/trpc/redemptions.canRedeem?input=${encodeURIComponent(JSON.stringify(input))}`;
        return call('GET', path, learnerToken(learner));
      },
      redeem: (learner: number) =>
        call('POST', `/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`, learnerToken(learner), {
          lms_user_id: learner,
          content_key: run,
        }),
      policy: () => call('GET', `/api/v1/subsidy-access-policies/${demonstration.spendPolicy}/`, operatorToken()),
      policies() {
        const query = `enterprise_customer_uuid=${demonstration.customer}`;
        return call('GET', `/api/v1/subsidy-access-policies/?${query}`, operatorToken());
      },
    };
  }
  return {
    ...database,
    sandbox,
    startApp,
    async stop() {
      await Promise.all(started.map((one) => one.stop()));
      await sandbox.close();
      await database.drop();
    },
  };
}

const fault = async (sandbox: Sandbox, path: string, spec: object) => {
  const reply = await fetch(`${sandbox.url}/control/faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ path, ...spec }),
  });
  if (!reply.ok) throw new Error(await reply.text());
};
const unavailable = {
  status: 503,
  headers: { 'retry-after': '1' },
  body: {
    detail: expect.stringMatching(/^A service that this operation depends on did not answer\. Nothing was changed/),
  },
};

describe.each([
  ['our own ledger', false],
  ['the ledger of a subsidy service', true],
])('with %s', (_which, hasRemoteLedger) => {
  let world: Awaited<ReturnType<typeof startWorld>>;
  beforeAll(async () => {
    world = await startWorld(hasRemoteLedger);
  });
  const heal = () => {
    world.sandbox.state.faults.length = 0;
  };
  afterEach(() => {
    vi.useRealTimers();
    heal();
  });
  afterAll(() => world.stop());
  /** The first reply that is none of a service that is cut off, or waits for a token in vain. */
  async function whenBack<T extends { status: number }>(ask: () => Promise<T>): Promise<T> {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      for (let tries = 1; ; tries += 1) {
        vi.setSystemTime(Date.now() + 5_000);
        const reply = await ask();
        if (reply.status === 200 || tries === 5) return reply;
      }
    } finally {
      vi.useRealTimers();
    }
  }
  const discrepancies = (app: Awaited<ReturnType<typeof world.startApp>>) =>
    hasRemoteLedger ? auditDrift(app.runtime) : auditBooks(world.db);

  describe.each(faults)('a service that %s', (_what, spec) => {
    const services = hasRemoteLedger ? ['/subsidy/'] : ['/lms/', '/catalog/', '/oauth2/'];
    test('makes dependent operations return the declared error in time; other operations work', async () => {
      for (const service of services) {
        // One that has nothing in its cache, and no token.
        const app = await world.startApp();
        await fault(world.sandbox, service, spec);
        expect(await app.canRedeem(1000), service).toMatchObject(unavailable);
        expect(await app.canRedeemByTrpc(1000), service).toMatchObject({
          status: 503,
          body: {
            error: {
              json: { data: { domain: { code: 'upstream_unavailable', details: { service: expect.anything() } } } },
            },
          },
        });
        if (service === '/subsidy/') {
          expect(await app.policies()).toMatchObject(unavailable);
          expect(await app.policy()).toMatchObject(unavailable);
        }
        heal();
        expect(await whenBack(() => app.canRedeem(1000)), service).toMatchObject({ body: [{ can_redeem: true }] });
      }
    });

    const step = hasRemoteLedger ? '/subsidy/api/v2/subsidies/.*/admin/transactions/$' : '/lms/enterprise/.*/enroll_';
    test('in the middle of a redeem leaves nothing half done', async () => {
      const learner = 1_300 + faults.findIndex(([, each]) => each === spec);
      const app = await world.startApp();
      const spentBefore = Number((await app.policy()).body.aggregates.amount_redeemed_usd_cents);
      await fault(world.sandbox, step, { method: 'POST', ...spec });
      // Our own ledger shows the transaction in flight; of a silent service nobody can say anything.
      expect(await app.redeem(learner)).toMatchObject(
        hasRemoteLedger
          ? {
              status: 503,
              headers: { 'retry-after': '1' },
              body: { detail: expect.stringContaining('is being completed') },
            }
          : { status: 200, body: { state: 'pending', quantity: -PRICE } },
      );
      expect(await reconcile(app.runtime, { olderThanMs: -60_000 })).toEqual({ found: 1, open: 1 });

      heal();
      // The process that works on it later is another one, which has never heard of these failures.
      const later = await world.startApp();
      expect(await reconcile(later.runtime, { olderThanMs: -60_000 })).toEqual({ found: 1, open: 0 });
      const again = await later.redeem(learner);
      expect(again).toMatchObject({ status: 200, body: { state: 'committed', quantity: -PRICE } });
      expect((await later.redeem(learner)).body.uuid).toBe(again.body.uuid);

      expect((await later.policy()).body.aggregates.amount_redeemed_usd_cents).toBe(spentBefore + PRICE);
      const share = await world
        .db('policy_learner_budgets')
        .where({ policy_uuid: demonstration.spendPolicy, lms_user_id: learner })
        .first();
      expect(Number(share?.spent_cents)).toBe(PRICE);
      const states = await world.db('redemptions').where({ lms_user_id: learner }).pluck('state');
      expect(states).toEqual(['committed']);
      const enrolments = [...world.sandbox.state.lms.enrolmentsByFulfilment.values()];
      expect(enrolments.filter(({ lmsUserId }) => lmsUserId === learner)).toHaveLength(1);
      expect(await discrepancies(later)).toEqual([]);
    });
  });

  test('one course whose record is broken is unavailable, over both transports, and nothing else is', async () => {
    const broken = 'course-v1:edX+Broken+1';
    const records = `/catalog/api/v2/enterprise-customer/${demonstration.customer}/content-metadata/`;
    await fault(world.sandbox, `${records}${encodeURIComponent(broken)}`, { garbage: true });
    const app = await world.startApp();
    for (let tries = 0; tries < 15; tries += 1) {
      expect((await app.canRedeem(1_080, broken)).status).toBe(503);
      expect((await app.canRedeemByTrpc(1_080, broken)).status).toBe(503);
    }
    expect((await app.canRedeem(1_081)).status).toBe(200);
    expect((await app.canRedeemByTrpc(1_081)).status).toBe(200);
    expect((await app.redeem(1_081)).status).toBe(200);
  });

  test('the circuit opens for a service that is down, and closes after a successful probe', async () => {
    const app = await world.startApp();
    await app.canRedeem(1_400);
    await fault(world.sandbox, '/lms/', { status: 500 });
    const asked = () => {
      const counts = [...world.sandbox.state.requests].filter(([key]) => key.includes('/lms/'));
      return counts.reduce((sum, [, count]) => sum + count, 0);
    };
    for (let learner = 1_401; learner < 1_411; learner += 1)
      expect(await app.canRedeem(learner)).toMatchObject(unavailable);
    const before = asked();
    for (let learner = 1_411; learner < 1_421; learner += 1)
      expect(await app.canRedeem(learner)).toMatchObject(unavailable);
    expect(asked()).toBe(before);
    // Who is known needs nobody.
    expect(await app.canRedeem(1_400)).toMatchObject({ status: 200 });

    heal();
    expect(await app.canRedeem(1_430)).toMatchObject(unavailable);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5_000 });
    expect(await app.canRedeem(1_430)).toMatchObject({ status: 200, body: [{ can_redeem: true }] });
    expect(await app.canRedeem(1_431)).toMatchObject({ status: 200 });
  });

  // Only there is a ledger that can be silent.
  if (!hasRemoteLedger) return;

  test('a ledger that does not answer does not delay policy lists beyond their own limit', async () => {
    const app = await world.startApp({ UPSTREAM_TIMEOUT_MS: '120000' });
    await fault(world.sandbox, '/subsidy/', { hang: true });
    const replies = await Promise.all([app.policies(), app.policy(), app.policies()]);
    for (const reply of replies) expect(reply).toMatchObject(unavailable);
  });
});
