import { randomUUID } from 'node:crypto';
import { auditBooks, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  allocateTo,
  assignedBudget,
  balanceOf,
  isUuid,
  newCourse,
  newPolicy,
  newSubsidy,
  PRICE,
  redeemAs,
  reverseIn,
  SUBSIDIES,
  trpcData,
} from '../support/fixtures.ts';
import { dialects, run, startApp } from '../support/harness.ts';
import { NOW, subsidyRequests } from './requests.ts';

describe.each(dialects)('a spend on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, transactionsOf, spend, funded } = subsidyRequests(() => world);

  test('R-LED-14, R-LED-15: 201 with the transaction and its snapshot, then 200 with the same', async () => {
    const { subsidy } = await funded();
    const policy = randomUUID();
    const first = await spend(subsidy, {
      subsidy_access_policy_uuid: policy,
      metadata: { note: 'x', state: 'failed' },
      idempotency_key: 'my key',
    });
    expect(first.status).toBe(201);
    expect(first.body).toEqual({
      uuid: isUuid,
      state: 'committed',
      idempotency_key: 'my key',
      lms_user_id: 1,
      lms_user_email: 'learner-1@test.example',
      content_key: run,
      parent_content_key: 'edX+DemoX',
      content_title: 'Demo',
      course_run_start_date: null,
      quantity: -PRICE,
      unit: 'usd_cents',
      fulfillment_identifier: `fulfillment-${first.body.uuid}`,
      subsidy_access_policy_uuid: policy,
      metadata: { note: 'x', state: 'failed' },
      created: NOW,
      modified: NOW,
      reversal: null,
      external_reference: [],
      transaction_status_api_url: `http://access.test/api/v1/transactions/${first.body.uuid}/`,
      courseware_url: `http://learning.test/course/${run}/home`,
    });
    // Example 5: another policy and another key, the same learner and content.
    const again = await spend(subsidy, {});
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
    expect((await call('GET', `/api/v1/transactions/${first.body.uuid}/`)).body).toEqual(first.body);
    expect(await balanceOf(world, subsidy)).toBe(100_000 - PRICE);
  });

  // Example 4.
  test.each([
    [8_000, 201, -8_000],
    [12_000, 201, -12_000],
    [0, 201, -10_000],
    [null, 201, -10_000],
    [7_999, 422, null],
    [12_001, 422, null],
  ])('example 4: 10000 with %s requested is %i', async (requested, status, quantity) => {
    const { subsidy } = await funded();
    const content_key = newCourse(world, { priceCents: 10_000 });
    const reply = await spend(subsidy, { content_key, requested_price_cents: requested });
    expect(reply.status).toBe(status);
    if (status === 201) expect(reply.body.quantity).toBe(quantity);
    else {
      expect(reply.body).toEqual({
        detail: `['Requested price ${requested} outside of acceptable interval on canonical course price of 10000.']`,
        code: 'invalid_requested_price',
      });
      expect(await balanceOf(world, subsidy)).toBe(100_000);
    }
  });

  test('example 3: the last cent can be spent, a cent less is 422 and inserts nothing', async () => {
    const rich = await funded(PRICE);
    const poor = await funded(PRICE - 1);
    const question = (subsidy: string) =>
      call('GET', `${SUBSIDIES}${subsidy}/can_redeem/?lms_user_id=1&content_key=${encodeURIComponent(run)}`);
    expect((await question(rich.subsidy)).body).toMatchObject({ can_redeem: true, content_price: PRICE });
    expect((await question(poor.subsidy)).body).toMatchObject({ can_redeem: false, content_price: PRICE });
    expect((await spend(rich.subsidy, {})).status).toBe(201);
    expect(await balanceOf(world, rich.subsidy)).toBe(0);
    expect(await spend(poor.subsidy, {})).toMatchObject({
      status: 422,
      body: {
        detail: 'Transaction was None after attempting to redeem',
        code: 'transaction_creation_error',
      },
    });
    expect((await transactionsOf(poor.subsidy)).body.count).toBe(1);
  });

  test('R-LED-16: a learner who has redeemed cannot redeem again, and sees the transaction', async () => {
    const { subsidy } = await funded();
    const made = await spend(subsidy, {});
    const reply = await call(
      'GET',
      `${SUBSIDIES}${subsidy}/can_redeem/?lms_user_id=1&content_key=${encodeURIComponent(run)}`,
    );
    expect(reply.body).toEqual({
      can_redeem: false,
      content_price: PRICE,
      unit: 'usd_cents',
      all_transactions: [made.body],
      active: true,
    });
  });

  test('R-LED-16: what is held for assignments cannot be redeemed here, and is not said to be', async () => {
    const budget = await assignedBudget(world, { balance: 2 * PRICE, learners: [1] });
    const can = () =>
      call(
        'GET',
        `${SUBSIDIES}${budget.subsidy}/can_redeem/?lms_user_id=1&content_key=${encodeURIComponent(budget.run)}`,
      );
    expect((await can()).body.can_redeem).toBe(true);
    expect((await allocateTo(world, budget, ['a@x.example', 'b@x.example'])).status).toBe(202);
    expect((await can()).body.can_redeem).toBe(false);
    expect((await spend(budget.subsidy, { content_key: budget.run })).status).toBe(422);
  });

  test('422: an inactive subsidy, unknown content, a refused enrolment', async () => {
    const { subsidy, customer } = await funded();
    expect(await spend(subsidy, { content_key: 'course-v1:no+such+run' })).toMatchObject({
      status: 422,
      body: {
        detail: 'The given content_key is not in any catalog for this customer.',
        code: 'content_not_found',
      },
    });
    expect((await spend(subsidy, { lms_user_id: 77 })).body.code).toBe('enrollment_error');
    expect(await balanceOf(world, subsidy)).toBe(100_000);
    const ended = await newSubsidy(world, { customer, expiration: '2026-05-31T00:00:00Z' });
    expect(await spend(ended, {})).toMatchObject({
      status: 422,
      body: { detail: 'Cannot create a transaction in an inactive subsidy', code: 'inactive_subsidy_creation_error' },
    });
    expect((await transactionsOf(subsidy, '?state=failed')).body.results).toMatchObject([
      { state: 'failed', lms_user_id: 77, quantity: -PRICE },
    ]);
  });

  test('400: a body that says too little or too much', async () => {
    const { subsidy } = await funded();
    const reply = await call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, {});
    expect(reply).toMatchObject({
      status: 400,
      body: {
        lms_user_id: ['This field is required.'],
        content_key: ['This field is required.'],
        subsidy_access_policy_uuid: ['This field is required.'],
      },
    });
    expect((await spend(subsidy, { requested_price_cents: -1 })).body).toEqual({
      requested_price_cents: ['Ensure this value is greater than or equal to 0.'],
    });
  });

  test('a spend through one of our policies counts in its budget; a policy of another subsidy is refused', async () => {
    const { subsidy, customer } = await funded();
    const policy = await newPolicy(world, { customer, subsidy, spendLimit: 20_000 });
    expect((await spend(subsidy, { subsidy_access_policy_uuid: policy })).status).toBe(201);
    const over = await spend(subsidy, { subsidy_access_policy_uuid: policy, lms_user_id: 2 });
    expect(over).toMatchObject({ status: 422, body: { code: 'policy_limit_reached' } });
    const other = await funded();
    expect(await spend(other.subsidy, { subsidy_access_policy_uuid: policy })).toMatchObject({
      status: 400,
      body: { subsidy_access_policy_uuid: [expect.any(String)] },
    });
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('R-LED-04, W: replaying a key needs no balance; a key belongs to one spend', async () => {
    const { subsidy } = await funded(PRICE);
    const body = { idempotency_key: 'one', subsidy_access_policy_uuid: randomUUID() };
    const first = await spend(subsidy, body);
    expect(await balanceOf(world, subsidy)).toBe(0);
    const again = await spend(subsidy, body);
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
    const other = await spend(subsidy, { ...body, lms_user_id: 2 });
    expect(other).toMatchObject({ status: 422, body: { code: 'transaction_creation_error' } });
    await reverseIn(world, subsidy, first.body.uuid);
    expect((await spend(subsidy, body)).body).toMatchObject({ code: 'transaction_creation_error' });
    expect((await spend(subsidy, { ...body, idempotency_key: 'two' })).status).toBe(201);
  });

  test('keys that differ by a space at the end are two, over both transports', async () => {
    const { subsidy } = await funded(10 * PRICE);
    const made: string[] = [];
    for (const [learner, idempotencyKey] of [
      [1, 'k'],
      [2, 'k '],
    ] as const) {
      const body = { lms_user_id: learner, subsidy_access_policy_uuid: randomUUID(), idempotency_key: idempotencyKey };
      const { status, body: byRest } = await spend(subsidy, body);
      expect({ status, key: byRest.idempotency_key }).toEqual({ status: 201, key: idempotencyKey });
      const again = await trpcData<{ transaction: { uuid: string; idempotencyKey: string } }>(
        world,
        'ledger.createTransaction',
        {
          uuid: subsidy,
          lmsUserId: learner,
          contentKey: run,
          subsidyAccessPolicyUuid: body.subsidy_access_policy_uuid,
          idempotencyKey,
        },
      );
      expect(again.transaction).toMatchObject({ uuid: byRest.uuid, idempotencyKey });
      made.push(byRest.uuid);
    }
    expect(new Set(made).size).toBe(2);
  });

  test('R-LED-09, example 6: after a refused enrolment the next attempt has another key', async () => {
    const { subsidy, customer } = await funded();
    const policy = await newPolicy(world, { customer, subsidy });
    world.world.enrollmentFault = () => Promise.reject(new UpstreamRefusal('lms', 409, {}));
    const refused = await redeemAs(world, policy, customer, 1).finally(() => {
      world.world.enrollmentFault = null;
    });
    expect(refused).toMatchObject({ status: 422, body: { code: 'enrollment_error', subsidy_status_code: '422' } });
    expect((await redeemAs(world, policy, customer, 1)).status).toBe(200);
    const { results } = (await transactionsOf(subsidy, '?lms_user_id=1')).body;
    expect(results.map(({ state }: { state: string }) => state).sort()).toEqual(['committed', 'failed']);
    expect(new Set(results.map((each: { idempotency_key: string }) => each.idempotency_key)).size).toBe(2);
    expect(await auditBooks(world.db)).toEqual([]);
  });

  // The old ledger refused the repeat for lack of balance, although the row itself held the reservation.
  test.each([20_000, 40_000])(
    'R-LED-01, example 10: %i with a spend in flight, whose repeat finishes it',
    async (balance) => {
      const { subsidy } = await funded(balance);
      const body = { idempotency_key: 'stuck', subsidy_access_policy_uuid: randomUUID() };
      world.world.enrollmentFault = () => Promise.reject(new UpstreamFailure('lms', 'did not answer'));
      const stuck = await spend(subsidy, body).finally(() => {
        world.world.enrollmentFault = null;
      });
      expect(stuck).toMatchObject({
        status: 503,
        headers: { 'retry-after': '1' },
        body: { code: 'transaction_pending' },
      });
      expect(await balanceOf(world, subsidy)).toBe(balance - PRICE);
      const [pending] = (await transactionsOf(subsidy, '?state=pending')).body.results;
      const again = await spend(subsidy, body);
      expect(again).toMatchObject({ status: 200, body: { uuid: pending.uuid, state: 'committed' } });
      expect(await balanceOf(world, subsidy)).toBe(balance - PRICE);
    },
  );

  // R-LED-05: the lock that made one of them answer 429 is gone.
  test('example 7: two learners at once on one ledger both pass', async () => {
    const { subsidy } = await funded();
    const replies = await Promise.all([1, 2].map((lms_user_id) => spend(subsidy, { lms_user_id })));
    expect(replies.map(({ status }) => status)).toEqual([201, 201]);
    expect(await balanceOf(world, subsidy)).toBe(100_000 - 2 * PRICE);
  });
});
