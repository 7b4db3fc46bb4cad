import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { auditDrift, reconcile } from '@enterprise-access/domain';
import { buildRuntime } from '@enterprise-access/platform';
import { startSandbox } from '@enterprise-access/sandbox';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { watchLocks } from '../../../../tooling/test/locks.ts';
import { buildApp } from '../../src/app.ts';
import { demonstration, dialects, learnerToken, operatorToken, run, testEnvironment } from '../support/harness.ts';
import { redeemAt, startApiProcess } from '../support/processes.ts';

const PRICE = 14_900;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const TRANSACTIONS = '/subsidy/api/v2/subsidies/.*/admin/transactions/$';
const other = 'course-v1:edX+DataX+2T2026';
const OTHER_PRICE = 9_900;

async function startWorld(dialect: (typeof dialects)[number]) {
  const database = await createTestDatabase(inject('servers'), dialect, 20);
  await seedDemonstration(database.db);
  const sandbox = await startSandbox();
  const env = testEnvironment({
    DATABASE_URL: database.url,
    LMS_URL: `${sandbox.url}/lms`,
    ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
    ENTERPRISE_SUBSIDY_URL: `${sandbox.url}/subsidy/`,
    OAUTH2_URL: sandbox.url,
    // Hundreds at once on a busy machine are slow, and no test here is about silence.
    UPSTREAM_TIMEOUT_MS: '60000',
    ENROLLMENT_TIMEOUT_MS: '60000',
  });
  const runtime = buildRuntime(env, silent, 'http://access.test');
  const locks = watchLocks(runtime.db);
  const app = await buildApp({ env, runtime });
  const call = async (
    method: 'GET' | 'POST',
    url: string,
    token: string,
    payload?: object,
    headers: Record<string, string> = {},
  ) => {
    const reply = await app.inject({
      method,
      url,
      headers: { authorization: `JWT ${token}`, ...headers },
      ...(payload && { payload }),
    });
    return { status: reply.statusCode, body: reply.json(), headers: reply.headers };
  };
  const control = async (method: string, path: string, body?: object) => {
    const reply = await fetch(sandbox.url + path, {
      method,
      headers: { authorization: 'JWT x.y.z', ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(reply.ok, `${method} ${path}: ${reply.status}`).toBe(true);
    return reply.status === 204 ? {} : ((await reply.json()) as { uuid?: string });
  };
  return {
    ...database,
    sandbox,
    runtime,
    call,
    control,
    async stop() {
      await app.close();
      await runtime.close();
      await sandbox.close();
      await database.drop();
      locks.assertInOrder();
    },
  };
}

describe.each(dialects)('with the ledger of a subsidy service, on %s', (dialect) => {
  let world: Awaited<ReturnType<typeof startWorld>>;
  beforeAll(async () => {
    world = await startWorld(dialect);
  });
  afterEach(() => world.control('DELETE', '/control/faults'));
  afterAll(() => world.stop());

  /** A subsidy of the service with that much value, and a policy of ours that draws on it. */
  async function newPolicy(balanceCents: number, limits: object = {}) {
    const subsidy = await world.control('POST', '/subsidy/api/v1/subsidies/', {
      reference_id: `00k${Math.random()}`,
      default_title: 'Test',
      default_enterprise_customer_uuid: demonstration.customer,
      default_active_datetime: '2020-01-01T00:00:00Z',
      default_expiration_datetime: '2099-01-01T00:00:00Z',
      default_unit: 'usd_cents',
      default_starting_balance: balanceCents,
      default_revenue_category: 'bulk-enrollment-prepay',
      default_internal_only: true,
    });
    const policy = await world.call('POST', '/api/v1/subsidy-access-policies/', operatorToken(), {
      policy_type: 'PerLearnerSpendCreditAccessPolicy',
      enterprise_customer_uuid: demonstration.customer,
      catalog_uuid: demonstration.catalog,
      subsidy_uuid: subsidy.uuid,
      access_method: 'direct',
      active: true,
      ...limits,
    });
    expect(policy.status, JSON.stringify(policy.body)).toBe(201);
    return { policy: String(policy.body.uuid), subsidy: String(subsidy.uuid) };
  }

  const canRedeem = async (learner: number, contentKey = run) => {
    const query = `content_key=${encodeURIComponent(contentKey)}`;
    const path = `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?${query}`;
    return (await world.call('GET', path, learnerToken(learner))).body[0];
  };
  const redeem = (policy: string, learner: number, contentKey = run) =>
    world.call('POST', `/api/v1/policy-redemption/${policy}/redeem/`, learnerToken(learner), {
      lms_user_id: learner,
      content_key: contentKey,
    });
  /** Everything that is pending, however new. */
  const finishPending = () => reconcile(world.runtime, { olderThanMs: -60_000 });
  const drift = async (policy: string) => (await auditDrift(world.runtime)).filter(({ id }) => id === policy);
  const ledgerOf = (subsidy: string) => {
    const found = world.sandbox.state.subsidies.subsidies.get(subsidy);
    if (!found) throw new Error('There is no such subsidy.');
    return found.ledger;
  };
  const shown = async (policy: string) =>
    (await world.call('GET', `/api/v1/subsidy-access-policies/${policy}/`, operatorToken())).body;
  const shareOf = async (policy: string, learner: number) =>
    Number(
      (await world.db('policy_learner_budgets').where({ policy_uuid: policy, lms_user_id: learner }).first())
        ?.spent_cents ?? 0,
    );
  const enrollmentsOf = (learner: number) =>
    [...world.sandbox.state.lms.enrolmentsByFulfilment.values()].filter(({ lmsUserId }) => lmsUserId === learner);

  /** Policy and service tell the same of what was spent. */
  async function expectBooks({ policy, subsidy }: { policy: string; subsidy: string }, spentCents: number) {
    const ledger = ledgerOf(subsidy);
    expect(ledger.totalDeposits - ledger.balance).toBe(spentCents);
    expect((await shown(policy)).aggregates.amount_redeemed_usd_cents).toBe(spentCents);
  }

  test('a learner sees a policy, redeems through it once, and a repeat answers with the first transaction', async () => {
    const before = await canRedeem(1000);
    expect(before).toMatchObject({ can_redeem: true, list_price: { usd_cents: PRICE }, redemptions: [] });
    const policy = before.redeemable_subsidy_access_policy.uuid;

    const first = await redeem(policy, 1000);
    expect(first).toMatchObject({
      status: 200,
      body: { state: 'committed', quantity: -PRICE, lms_user_id: 1000, content_key: run, reversal: null },
    });
    expect(first.body.transaction_status_api_url).toBe(
      `${world.sandbox.url}/subsidy/api/v1/transactions/${first.body.uuid}/`,
    );
    expect(first.body.courseware_url).toBe(`https://learning.sandbox.example/course/${run}/home`);
    expect(ledgerOf(demonstration.subsidy).byKey.get(first.body.idempotency_key)?.uuid).toBe(first.body.uuid);
    expect((await redeem(policy, 1000)).body).toEqual(first.body);
    expect(enrollmentsOf(1000)).toHaveLength(1);
    expect(await canRedeem(1000)).toMatchObject({
      has_successful_redemption: true,
      can_redeem: false,
      redemptions: [{ uuid: first.body.uuid }],
    });
  });

  test('policy totals come from our database, balance and deposits from the service', async () => {
    const made = await newPolicy(100_000, { spend_limit: 50_000 });
    await redeem(made.policy, 1001);
    await redeem(made.policy, 1002, other);
    const spent = PRICE + OTHER_PRICE;
    expect(await shown(made.policy)).toMatchObject({
      is_subsidy_active: true,
      subsidy_expiration_datetime: '2099-01-01T00:00:00Z',
      total_deposits_for_subsidy: 100_000,
      total_spend_limits_for_subsidy: 50_000,
      aggregates: { amount_redeemed_usd_cents: spent, spend_available_usd_cents: 50_000 - spent },
    });
    await expectBooks(made, spent);
  });

  test.each([
    ['did nothing', 1010, { status: 500 }],
    ['did it and said nothing', 1011, { loseReply: true }],
    ['answers with a page', 1012, { garbage: true }],
  ])(
    'a service that %s leaves the redemption pending, and reconcile finishes it once',
    async (_what, learner, fault) => {
      const made = await newPolicy(100_000);
      await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, ...fault });
      const reply = await redeem(made.policy, learner);
      expect(reply).toMatchObject({
        status: 503,
        headers: { 'retry-after': '1' },
        body: { detail: expect.stringContaining('is being completed') },
      });
      expect(await shown(made.policy)).toMatchObject({ aggregates: { amount_redeemed_usd_cents: PRICE } });
      expect(await finishPending()).toEqual({ found: 1, open: 1 });

      await world.control('DELETE', '/control/faults');
      expect(await finishPending()).toEqual({ found: 1, open: 0 });
      expect(await finishPending()).toEqual({ found: 0, open: 0 });
      expect(await redeem(made.policy, learner)).toMatchObject({ status: 200, body: { state: 'committed' } });
      await expectBooks(made, PRICE);
      expect(enrollmentsOf(learner)).toHaveLength(1);
      const events = await world.db('outbox').where({ name: 'org.openedx.enterprise.access.subsidy.redeemed.v1' });
      const ofLearner = events.filter(({ payload }) =>
        (typeof payload === 'string' ? payload : JSON.stringify(payload)).includes(String(learner)),
      );
      expect(ofLearner).toHaveLength(1);
    },
  );

  test('reconcile gives the price back when the service turns out to have refused', async () => {
    const made = await newPolicy(100_000);
    await world.control('PUT', '/control/learners', {
      lmsUserId: 91,
      customerUuid: demonstration.customer,
      email: 'fail@demo.example',
    });
    await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, loseReply: true });
    expect((await redeem(made.policy, 91)).status).toBe(503);
    expect(await shareOf(made.policy, 91)).toBe(PRICE);
    await world.control('DELETE', '/control/faults');
    expect(await finishPending()).toEqual({ found: 1, open: 0 });
    await expectBooks(made, 0);
    expect(await shareOf(made.policy, 91)).toBe(0);
  });

  test('what the service refuses is passed on as it said it, and the price goes back', async () => {
    const made = await newPolicy(1_000_000);
    const exec = await redeem(made.policy, 1020, 'course-v1:edX+ExecX+2T2026');
    expect(exec).toMatchObject({
      status: 422,
      body: {
        code: 'fulfillment_error',
        detail: expect.stringMatching(/^Subsidy Transaction API error: ./),
        subsidy_status_code: '422',
      },
    });
    await expectBooks(made, 0);
    expect(await shareOf(made.policy, 1020)).toBe(0);
  });

  test.each([
    [
      'the sentence that the portal reads as success',
      {
        status: 422,
        body: { detail: 'User has already purchased the product.', code: 'fulfillment_error', more: [1] },
      },
      {
        detail: 'Subsidy Transaction API error: User has already purchased the product.',
        code: 'fulfillment_error',
        more: [1],
        subsidy_status_code: '422',
      },
    ],
    [
      'a name that we do not know',
      { status: 409, body: { detail: ['Not', 'now'], code: 'brand_new_error' } },
      { detail: 'Subsidy Transaction API error: ["Not","now"]', code: 'brand_new_error', subsidy_status_code: '409' },
    ],
    [
      'a page',
      { status: 400, body: '<h1>Bad Request</h1>' },
      {
        detail: 'Subsidy Transaction API error: <h1>Bad Request</h1>',
        code: 'transaction_creation_error',
        subsidy_status_code: '400',
      },
    ],
    [
      'messages by field',
      { status: 400, body: { lms_user_id: ['Unknown.'], constructor: { prototype: 1 } } },
      {
        lms_user_id: ['Unknown.'],
        constructor: { prototype: 1 },
        detail: expect.stringContaining('Subsidy Transaction API error: '),
        code: 'transaction_creation_error',
        subsidy_status_code: '400',
      },
    ],
  ])('a refusal reaches the caller with its status and body over both transports: %s', async (_what, fault, body) => {
    const made = await newPolicy(100_000);
    await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, times: 2, ...fault });
    expect(await redeem(made.policy, 1035)).toMatchObject({ status: 422, body });
    const input = { policyUuid: made.policy, lmsUserId: 1035, contentKey: run };
    const reply = await world.call('POST', '/trpc/redemptions.redeem', learnerToken(1035), { json: input });
    expect(reply.body.error.json.data.domain).toMatchObject({
      code: 'spend_refused',
      details: { detail: body.detail, reason: body.code, subsidyStatusCode: body.subsidy_status_code },
    });
    await expectBooks(made, 0);
  });

  test('a learner whom the service refused without a trace may try again', async () => {
    const made = await newPolicy(100_000);
    const refusal = { status: 422, body: { code: 'transaction_creation_error', detail: 'x' } };
    await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, times: 2, ...refusal });
    const refused = await redeem(made.policy, 1021);
    expect(refused).toMatchObject({ status: 422, body: { code: 'transaction_creation_error' } });
    expect(await redeem(made.policy, 1021)).toMatchObject({ status: 422 });
    await expectBooks(made, 0);
    expect(await redeem(made.policy, 1021)).toMatchObject({ status: 200, body: { state: 'committed' } });
    await expectBooks(made, PRICE);
  });

  test('what was redeemed elsewhere meanwhile is the answer, and costs this policy nothing', async () => {
    const made = await newPolicy(100_000);
    const path = `/subsidy/api/v2/subsidies/${made.subsidy}/admin/transactions/`;
    const elsewhere = await world.control('POST', path, {
      lms_user_id: 1022,
      content_key: run,
      subsidy_access_policy_uuid: '99999999-9999-4999-8999-999999999999',
    });
    // The other spend is not to be seen before ours is on its way.
    await world.control('PUT', '/control/faults', {
      method: 'GET',
      path: TRANSACTIONS,
      times: 1,
      body: { next: null, results: [] },
    });
    expect(await redeem(made.policy, 1022)).toMatchObject({ status: 200, body: { uuid: elsewhere.uuid } });
    expect((await shown(made.policy)).aggregates.amount_redeemed_usd_cents).toBe(0);
    expect(ledgerOf(made.subsidy).balance).toBe(100_000 - PRICE);
    expect(enrollmentsOf(1022)).toHaveLength(1);
  });

  test('what the service charges is what counts', async () => {
    const made = await newPolicy(100_000);
    await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, status: 500 });
    await redeem(made.policy, 1023);
    await world.control('DELETE', '/control/faults');
    const { idempotency_key } = await world.db('redemptions').where({ lms_user_id: 1023 }).first('idempotency_key');
    const charged = {
      uuid: '12121212-1212-4212-8212-121212121212',
      state: 'committed',
      idempotency_key,
      quantity: -14_000,
      created: '2026-06-01T00:00:00Z',
      modified: '2026-06-01T00:00:00Z',
    };
    await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, status: 201, body: charged });
    expect(await finishPending()).toEqual({ found: 1, open: 0 });
    expect((await shown(made.policy)).aggregates.amount_redeemed_usd_cents).toBe(14_000);
    expect(await shareOf(made.policy, 1023)).toBe(14_000);
  });

  test('a policy on which something is going on is no drift', async () => {
    const made = await newPolicy(100_000);
    await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, status: 500 });
    expect((await redeem(made.policy, 1027)).status).toBe(503);
    expect(await drift(made.policy)).toEqual([]);
    await world.control('DELETE', '/control/faults');
    await finishPending();
    expect(await drift(made.policy)).toEqual([]);
  });

  test('after a reversal at the service the learner redeems again, and the policy has its value back', async () => {
    const made = await newPolicy(100_000, { spend_limit: PRICE });
    const first = await redeem(made.policy, 1024);
    await world.control('POST', '/control/reversals', { transactionUuid: first.body.uuid });
    expect(await drift(made.policy)).toEqual([{ what: 'policy', id: made.policy, stored: PRICE, counted: 0 }]);
    const again = await redeem(made.policy, 1024);
    expect(again).toMatchObject({ status: 200, body: { state: 'committed', reversal: null } });
    expect(again.body.uuid).not.toBe(first.body.uuid);
    await expectBooks(made, PRICE);
    expect(await shareOf(made.policy, 1024)).toBe(PRICE);
    const states = await world.db('redemptions').where({ policy_uuid: made.policy }).orderBy('created').select('state');
    expect(states.map(({ state }) => state)).toEqual(['reversed', 'committed']);
    expect(await drift(made.policy)).toEqual([]);
  });

  test('a deposit whose reply is lost is made once, and raises the limit with it', async () => {
    const made = await newPolicy(10_000, { spend_limit: 10_000 });
    const deposit = () =>
      world.call(
        'POST',
        `/api/v1/subsidy-access-policies/${made.policy}/deposit/`,
        operatorToken(),
        { quantity_cents: 5_000, sales_contract_reference_id: '00kDEMO0000000009A' },
        { 'idempotency-key': 'deposit-1' },
      );
    const path = '/subsidy/api/v2/subsidies/.*/admin/deposits/$';
    await world.control('PUT', '/control/faults', { method: 'POST', path, loseReply: true });
    expect((await deposit()).status).toBe(503);
    await world.control('DELETE', '/control/faults');
    expect(await deposit()).toMatchObject({
      status: 200,
      body: { spend_limit: 15_000, total_deposits_for_subsidy: 15_000 },
    });
    expect(ledgerOf(made.subsidy).balance).toBe(15_000);
  });

  test('an unavailable service is named in the error, and nothing is changed', async () => {
    const made = await newPolicy(100_000);
    await world.control('PUT', '/control/faults', { path: '/subsidy/', status: 503 });
    const unavailable = {
      status: 503,
      headers: { 'retry-after': '1' },
      body: { detail: expect.stringContaining('did not') },
    };
    expect(await redeem(made.policy, 1025)).toMatchObject(unavailable);
    const shownNow = await world.call(
      'GET',
      `/api/v1/subsidy-access-policies/${demonstration.otherPolicy}/`,
      operatorToken(),
    );
    expect(shownNow).toMatchObject(unavailable);
    expect(await world.db('redemptions').where({ lms_user_id: 1025 })).toEqual([]);
    await world.control('DELETE', '/control/faults');
    expect((await redeem(made.policy, 1025)).status).toBe(200);
  });

  test('the spending request returns the transaction; a waiting request that cannot see it gets 503, not "none"', async () => {
    const made = await newPolicy(100_000);
    const reading = { method: 'GET', path: TRANSACTIONS };
    await world.control('PUT', '/control/faults', { method: 'POST', path: TRANSACTIONS, latencyMs: 200 });
    // The looks before the spend are undisturbed.
    await world.control('PUT', '/control/faults', { ...reading, times: 2 });
    await world.control('PUT', '/control/faults', { ...reading, status: 500 });
    const replies = await Promise.all([redeem(made.policy, 1026), redeem(made.policy, 1026)]);
    const [first, second] = replies.toSorted((a, b) => a.status - b.status);
    expect(first).toMatchObject({ status: 200, body: { state: 'committed' } });
    expect(second).toMatchObject({ status: 503, body: { detail: expect.stringContaining('is being completed') } });
    await world.control('DELETE', '/control/faults');
    expect((await redeem(made.policy, 1026)).body).toEqual(first?.body);
    await expectBooks(made, PRICE);
  });

  test.each([
    ['the subsidy has', {}, ['transaction_creation_error', 'not_enough_value_in_subsidy']],
    ['the policy has', { spend_limit: 40 * PRICE }, ['policy_spend_limit_reached']],
  ])('two hundred learners, and %s money for exactly forty: forty pass', async (_who, limits, reasons) => {
    const made = await newPolicy('spend_limit' in limits ? 400 * PRICE : 40 * PRICE, limits);
    const learners = Array.from({ length: 200 }, (_, index) => 1_200 + index);
    const replies = await Promise.all(learners.map((learner) => redeem(made.policy, learner)));
    const counts = Object.fromEntries(
      [...Map.groupBy(replies, ({ status }) => status)].map(([status, list]) => [status, list.length]),
    );
    expect(counts).toEqual({ 200: 40, 422: 160 });
    const refused = replies.filter(({ status }) => status === 422).map(({ body }) => body.code ?? body[0].reason);
    expect(reasons).toEqual(expect.arrayContaining([...new Set(refused)]));
    await expectBooks(made, 40 * PRICE);
    expect(await finishPending()).toEqual({ found: 0, open: 0 });
  });

  test('killed four times in a storm of redeems: service and policy agree to the cent', {
    timeout: 120_000,
  }, async () => {
    const limitCents = 80 * PRICE;
    const made = await newPolicy(1_000 * PRICE, { spend_limit: limitCents });
    const spends = `POST /subsidy/api/v2/subsidies/${made.subsidy}/admin/transactions/`;
    const asked = () => world.sandbox.state.requests.get(spends) ?? 0;
    for (let round = 0; round < 4; round += 1) {
      const api = await startApiProcess(world.url, world.sandbox.url, {
        ENTERPRISE_SUBSIDY_URL: `${world.sandbox.url}/subsidy`,
      });
      const before = asked();
      const storm = Array.from({ length: 30 }, (_, index) => {
        // Some learners of the round before repeat what may have been cut off.
        const learner = 1_500 + round * 20 + index;
        return redeemAt(api.url, made.policy, learnerToken(learner), { lms_user_id: learner, content_key: run });
      });
      const over = Promise.all(storm).then(() => true);
      // In the middle: some spends have reached the service, each round another number.
      const enough = before + 1 + round * 4;
      while (asked() < enough && !(await Promise.race([over, sleep(1, false)])));
      await api.kill();
      await over;
    }
    expect(await finishPending()).toMatchObject({ open: 0 });
    const { balance, totalDeposits } = ledgerOf(made.subsidy);
    const spentCents = totalDeposits - balance;
    expect(spentCents).toBeGreaterThan(0);
    expect(spentCents).toBeLessThanOrEqual(limitCents);
    await expectBooks(made, spentCents);
    const rows = await world.db('redemptions').where({ policy_uuid: made.policy });
    expect(rows.filter(({ state }) => state === 'committed')).toHaveLength(spentCents / PRICE);
    expect(rows.filter(({ state }) => state === 'pending')).toEqual([]);
  });
});
