import { expect, test } from 'vitest';
import { demo } from './seed.ts';
import { sandboxClient } from './testing.ts';

const A = 'aaaaaaaa-0000-4000-8000-000000000000';
const B = 'bbbbbbbb-0000-4000-8000-000000000000';
const KEY = 'course-v1:edX+T+2T2026';
const ACTIVE = 'state=committed&state=pending&state=created';

/** A sandbox with one course at `priceCents` and a subsidy of the demo customer with `balance`. */
async function world(balance: number, priceCents: number) {
  let now = new Date('2026-03-01T10:00:00Z');
  const { call } = sandboxClient({ now: () => now });
  await call('PUT', '/control/courses', { courseKey: 'edX+T', priceCents });
  await call('PUT', '/control/learners', {
    lmsUserId: 99,
    customerUuid: demo.customerUuid,
    email: 'fail@demo.example',
  });
  const created = await call('POST', '/subsidy/api/v1/subsidies/', {
    reference_id: '00kTEST',
    default_title: 'Test',
    default_enterprise_customer_uuid: demo.customerUuid,
    default_active_datetime: null,
    default_expiration_datetime: '2026-12-31T00:00:00Z',
    default_unit: 'usd_cents',
    default_starting_balance: balance,
    default_revenue_category: 'bulk-enrollment-prepay',
    default_internal_only: false,
  });
  const { uuid } = created.body;
  const admin = `/subsidy/api/v2/subsidies/${uuid}/admin`;
  return {
    call,
    uuid,
    travel: (to: string) => {
      now = new Date(to);
    },
    record: async () => (await call('GET', `/subsidy/api/v1/subsidies/${uuid}/`)).body,
    list: async (query: string) => (await call('GET', `${admin}/transactions/?${query}&include_aggregates=True`)).body,
    deposit: (body: object) => call('POST', `${admin}/deposits/`, body),
    redeem: (body: object = {}) =>
      call('POST', `${admin}/transactions/`, {
        lms_user_id: 1000,
        content_key: KEY,
        subsidy_access_policy_uuid: A,
        metadata: null,
        ...body,
      }),
  };
}

test('worked example 2: failed spends and reversals count as they should', async () => {
  const { call, redeem, list, record } = await world(15_000, 1_000);
  await redeem({ lms_user_id: 1000 });
  const reversed = await redeem({ lms_user_id: 1001 });
  await call('POST', '/control/reversals', { transactionUuid: reversed.body.uuid });
  expect((await record()).current_balance).toBe(14_000);
  expect(await redeem({ lms_user_id: 99 })).toMatchObject({ status: 422, body: { code: 'enrollment_error' } });
  expect(await record()).toMatchObject({ current_balance: 14_000, total_deposits: 15_000 });

  const policy = `subsidy_access_policy_uuid=${A}`;
  const all = await list(`${policy}&state=failed&${ACTIVE}`);
  expect(all).toMatchObject({ count: 3, aggregates: { total_quantity: -2_000, remaining_subsidy_balance: 14_000 } });
  const active = await list(`${policy}&${ACTIVE}`);
  expect(active).toMatchObject({ count: 2, aggregates: { total_quantity: -1_000, remaining_subsidy_balance: 14_000 } });
});

test.each([
  ['running sums and a scan agree', `subsidy_access_policy_uuid=${A}&${ACTIVE}`, 'search=demo.example'],
  ['for every state', `subsidy_access_policy_uuid=${A}`, 'ordering=quantity'],
])('totals: %s', async (_case, query, scan) => {
  const { redeem, list } = await world(15_000, 1_000);
  for (const id of [1000, 1001, 99, 1002]) await redeem({ lms_user_id: id });
  const [sums, scanned] = [await list(query), await list(`${query}&${scan}`)];
  expect([scanned.count, scanned.aggregates]).toEqual([sums.count, sums.aggregates]);
});

test.each([
  ['balance equal to the price', 14_900, true, 201, 0],
  ['one cent short', 14_899, false, 422, 14_899],
])('worked example 3: %s', async (_case, balance, canRedeem, status, left) => {
  const { call, uuid, redeem, record, list } = await world(balance, 14_900);
  const url = `/subsidy/api/v1/subsidies/${uuid}/can_redeem/?lms_user_id=1000&content_key=${KEY}`;
  expect((await call('GET', url)).body).toMatchObject({ can_redeem: canRedeem, content_price: 14_900, active: true });
  const reply = await redeem();
  expect(reply.status).toBe(status);
  if (status === 422) expect(reply.body.code).toBe('transaction_creation_error');
  expect((await record()).current_balance).toBe(left);
  expect((await list('lms_user_id=1000')).count).toBe(status === 201 ? 1 : 0);
});

test.each([
  [8_000, 201],
  [12_000, 201],
  [7_999, 422],
  [12_001, 422],
  // The old service took this for "no price given" and charged all of it.
  [0, 422],
])('worked example 4: %i asked for a price of 10000 is %i', async (price, status) => {
  const { redeem } = await world(50_000, 10_000);
  const reply = await redeem({ requested_price_cents: price });
  expect(reply.status).toBe(status);
  expect(status === 201 ? reply.body.quantity : reply.body.code).toBe(
    status === 201 ? -price : 'invalid_requested_price',
  );
});

test('worked example 5: a second policy gets the first transaction and is not charged', async () => {
  const { redeem, record } = await world(50_000, 10_000);
  const first = await redeem();
  for (const again of [{ subsidy_access_policy_uuid: B }, { content_key: 'edX+T', subsidy_access_policy_uuid: B }]) {
    expect(await redeem({ ...again, idempotency_key: 'k2' })).toMatchObject({
      status: 200,
      body: { uuid: first.body.uuid },
    });
  }
  expect((await record()).current_balance).toBe(40_000);
});

test('a replayed key returns the first transaction, even without balance or subsidy', async () => {
  const { redeem, travel } = await world(10_000, 10_000);
  const first = await redeem({ idempotency_key: 'k' });
  travel('2027-06-01T00:00:00Z');
  expect(await redeem({ idempotency_key: 'k' })).toMatchObject({ status: 200, body: { uuid: first.body.uuid } });
  expect(await redeem({ idempotency_key: 'k2' })).toMatchObject({ body: { code: 'inactive_subsidy_creation_error' } });
  const clash = await redeem({ idempotency_key: 'k', lms_user_id: 1001 });
  expect(clash).toMatchObject({ status: 422, body: { code: 'transaction_creation_error' } });
});

test('a failed redemption stays failed under its key, and a retry without key is a new one', async () => {
  const { call, redeem, list } = await world(50_000, 10_000);
  const failing = { lms_user_id: 99, idempotency_key: 'k' };
  const [first, again] = [await redeem(failing), await redeem(failing)];
  expect(again.body).toEqual(first.body);
  expect((await list('lms_user_id=99')).count).toBe(1);
  await call('PUT', '/control/learners', { lmsUserId: 99, email: 'fine@demo.example' });
  expect((await redeem({ lms_user_id: 99 })).status).toBe(201);
});

test('metadata is kept and never reaches the row', async () => {
  const { redeem } = await world(50_000, 10_000);
  const metadata = { state: 'failed', quantity: 5, lms_user_id: 1 };
  const { status, body } = await redeem({ metadata });
  expect([status, body]).toMatchObject([201, { state: 'committed', quantity: -10_000, lms_user_id: 1000, metadata }]);
});

test.each([
  ['cents survive', 1_999, -1_999],
  ['29 cents are not 28', 29, -29],
  ['free costs nothing', 0, 0],
])('price: %s', async (_case, price, quantity) => {
  const { redeem } = await world(50_000, price);
  expect((await redeem()).body).toMatchObject({ quantity, state: 'committed', parent_content_key: 'edX+T' });
});

test.each([
  ['content of no catalog', { content_key: 'edX+Nope' }, 422, { code: 'content_not_found' }],
  [
    'executive education without the learner’s details',
    { content_key: 'edX+ExecX' },
    422,
    { code: 'fulfillment_error' },
  ],
  ['a learner the LMS does not know', { lms_user_id: 5 }, 422, { code: 'enrollment_error' }],
  ['a bad body', { lms_user_id: 'x' }, 400, { lms_user_id: [expect.any(String)] }],
])('refused: %s', async (_case, body, status, answer) => {
  const { redeem, record } = await world(1_000_000, 100);
  expect(await redeem(body)).toMatchObject({ status, body: answer });
  expect((await record()).current_balance).toBe(1_000_000);
});

test('aggregates count committed, unreversed redemptions per learner and policy', async () => {
  const { call, uuid, redeem } = await world(50_000, 1_000);
  const { body } = await redeem();
  await redeem({ content_key: 'edX+FreeX', subsidy_access_policy_uuid: B });
  const url = `/subsidy/api/v1/subsidies/${uuid}/aggregates-by-learner`;
  expect((await call('GET', url)).body).toEqual([{ lms_user_id: 1000, total: 2 }]);
  await call('POST', '/control/reversals', { transactionUuid: body.uuid });
  expect((await call('GET', `${url}?subsidy_access_policy_uuid=${A}`)).body).toEqual([]);
  const detail = await call('GET', `/subsidy/api/v1/transactions/${body.uuid}/`);
  expect(detail.body.reversal).toMatchObject({ quantity: 1_000, state: 'committed' });
});

test('a deposit with a key is made once; without one a repeat is refused', async () => {
  const { deposit, record, travel } = await world(1_000, 100);
  const order = {
    desired_deposit_quantity: 50_000,
    sales_contract_reference_id: '00k1',
    sales_contract_reference_provider: 'salesforce_opportunity_line_item',
  };
  const [first, again] = [
    await deposit({ ...order, idempotency_key: 'd' }),
    await deposit({ ...order, idempotency_key: 'd' }),
  ];
  expect([first.status, again.status, again.body]).toEqual([201, 200, first.body]);
  expect((await deposit(order)).status).toBe(201);
  expect(await deposit(order)).toMatchObject({ status: 422, body: { code: 'deposit_creation_error' } });
  expect((await deposit({ ...order, desired_deposit_quantity: 0 })).status).toBe(400);
  expect((await deposit({ ...order, sales_contract_reference_provider: 'x' })).status).toBe(400);
  expect(await record()).toMatchObject({ current_balance: 101_000, total_deposits: 101_000 });
  travel('2027-01-01T00:00:00Z');
  expect(await deposit({ ...order, idempotency_key: 'e' })).toMatchObject({
    body: { code: 'deposit_on_expired_subsidy' },
  });
});

test('an unknown subsidy is 403, with the message of each version', async () => {
  const { call } = sandboxClient();
  const v1 = await call('GET', `/subsidy/api/v1/subsidies/${A}/`);
  expect(v1).toMatchObject({
    status: 403,
    body: { error_code: 'Forbidden', user_message: expect.stringMatching(/^MISSING/) },
  });
  const v2 = await call('GET', `/subsidy/api/v2/subsidies/${A}/admin/transactions/`);
  expect(v2).toMatchObject({ status: 403, body: { detail: expect.stringMatching(/^Missing/) } });
});

test('the seeded subsidy is full and active; a reference is used once', async () => {
  const { call } = sandboxClient();
  const { body } = await call('GET', `/subsidy/api/v1/subsidies/?enterprise_customer_uuid=${demo.customerUuid}`);
  expect(body).toMatchObject({
    count: 1,
    page_count: 1,
    results: [{ uuid: demo.subsidyUuid, current_balance: 100_000_000, is_active: true }],
  });
});
