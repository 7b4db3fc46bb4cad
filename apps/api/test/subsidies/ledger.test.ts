import { randomUUID } from 'node:crypto';
import { auditBooks, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  allocateTo,
  assignedBudget,
  balanceOf,
  historyOf,
  isUuid,
  newCourse,
  newCustomer,
  newPolicy,
  newSubsidy,
  operatorUserId,
  PRICE,
  redeemAs,
  reverseIn,
  SUBSIDIES,
  subsidyBody,
  tokenWithoutLearner,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, operatorToken, run, startApp, tokenFor } from '../support/harness.ts';

const NOW = '2026-06-01T12:00:00Z';
const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const PROVIDER = 'salesforce_opportunity_line_item';

describe.each(dialects)('the routes of the subsidy service on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    world.call(method, path, operatorToken(), body);
  const transactionsOf = (subsidy: string, query = '') =>
    call('GET', `/api/v2/subsidies/${subsidy}/admin/transactions/${query}`);
  const spend = (subsidy: string, body: object) =>
    call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, {
      lms_user_id: 1,
      content_key: run,
      subsidy_access_policy_uuid: randomUUID(),
      ...body,
    });
  const deposit = (subsidy: string, body: object) =>
    call('POST', `/api/v2/subsidies/${subsidy}/admin/deposits/`, {
      desired_deposit_quantity: 5_000,
      sales_contract_reference_id: '00k1',
      sales_contract_reference_provider: PROVIDER,
      ...body,
    });
  /** A subsidy whose customer has learner 1. */
  const funded = async (balance = 100_000) => {
    const customer = newCustomer(world, [1, 2]);
    return { customer, subsidy: await newSubsidy(world, { customer, balance }) };
  };

  describe('a subsidy from creation to deletion', () => {
    test('through REST, with exact bodies', async () => {
      const customer = newCustomer(world);
      const wish = subsidyBody({ customer, balance: 100_000 });
      const made = await call('POST', SUBSIDIES, wish);
      const expected = {
        uuid: isUuid,
        title: 'Credit',
        enterprise_customer_uuid: customer,
        active_datetime: '2026-01-01T00:00:00Z',
        expiration_datetime: '2027-01-01T00:00:00Z',
        unit: 'usd_cents',
        reference_id: wish.reference_id,
        reference_type: PROVIDER,
        current_balance: 100_000,
        starting_balance: 100_000,
        internal_only: false,
        revenue_category: 'bulk-enrollment-prepay',
        is_active: true,
        total_deposits: 100_000,
        created: NOW,
        modified: NOW,
      };
      expect(made).toMatchObject({ status: 201 });
      expect(made.body).toEqual(expected);
      const path = `${SUBSIDIES}${made.body.uuid}/`;

      const found = await call('POST', SUBSIDIES, { ...wish, default_title: 'Ignored', default_starting_balance: 1 });
      expect({ status: found.status, body: found.body }).toEqual({ status: 200, body: made.body });
      expect((await call('GET', path)).body).toEqual(made.body);
      const listed = await call('GET', `${SUBSIDIES}?enterprise_customer_uuid=${customer}`);
      expect(listed.body).toEqual({ count: 1, next: null, previous: null, page_count: 1, results: [made.body] });

      const changed = await call('PATCH', path, { title: ' New title ', expiration_datetime: '2026-05-31T00:00:00Z' });
      expect(changed.status).toBe(200);
      expect(changed.body).toEqual({
        ...made.body,
        title: 'New title',
        expiration_datetime: '2026-05-31T00:00:00Z',
        is_active: false,
      });
      expect((await call('PUT', path, { revenue_category: 'partner-no-rev-prepay' })).body).toMatchObject({
        title: 'New title',
        revenue_category: 'partner-no-rev-prepay',
      });

      expect(await call('DELETE', path)).toMatchObject({ status: 204, body: null });
      expect(await call('GET', path)).toMatchObject({
        status: 404,
        body: { error_code: 'Not Found', developer_message: 'Not found.', user_message: 'Not found.' },
      });
      expect((await call('GET', `${SUBSIDIES}?enterprise_customer_uuid=${customer}`)).body.count).toBe(0);
      expect((await transactionsOf(made.body.uuid)).status).toBe(404);

      const history = await historyOf(world, 'subsidies', made.body.uuid);
      const actor = await operatorUserId(world);
      expect(history.map((row) => [row.history_type, row.actor_user_id, row.snapshot.isSoftDeleted])).toEqual([
        ['+', actor, false],
        ['~', actor, false],
        ['~', actor, false],
        ['-', actor, true],
      ]);
    });

    test('through tRPC, with the same facts', async () => {
      const customer = newCustomer(world, [1]);
      const input = {
        referenceId: randomUUID(),
        defaultTitle: null,
        defaultEnterpriseCustomerUuid: customer,
        defaultActiveDatetime: new Date('2026-01-01T00:00:00Z'),
        defaultExpirationDatetime: new Date('2027-01-01T00:00:00Z'),
        defaultUnit: 'usd_cents',
        defaultStartingBalance: 40_000,
        defaultRevenueCategory: 'bulk-enrollment-prepay',
        defaultInternalOnly: false,
      };
      type Made = { subsidy: { uuid: string; currentBalance: number; created: Date }; created: boolean };
      const made = await trpcData<Made>(world, 'ledger.createSubsidy', input);
      expect(made).toMatchObject({ created: true, subsidy: { currentBalance: 40_000, created: new Date(NOW) } });
      expect(await trpcData(world, 'ledger.createSubsidy', input)).toEqual({ ...made, created: false });
      const { uuid } = made.subsidy;

      await trpcData(world, 'ledger.updateSubsidy', { uuid, title: 'Named' });
      expect(await trpcData(world, 'ledger.getSubsidy', { uuid })).toMatchObject({ title: 'Named' });
      const deposited = await trpcData(world, 'ledger.createDeposit', {
        uuid,
        desiredDepositQuantity: 500,
        salesContractReferenceId: '00k9',
        salesContractReferenceProvider: PROVIDER,
      });
      expect(deposited).toMatchObject({ created: true, deposit: { desiredDepositQuantity: 500 } });

      const spending = { uuid, lmsUserId: 1, contentKey: run, subsidyAccessPolicyUuid: randomUUID() };
      type Spent = { transaction: { uuid: string; quantity: number }; created: boolean };
      const spent = await trpcData<Spent>(world, 'ledger.createTransaction', spending);
      expect(spent).toMatchObject({ created: true, transaction: { quantity: -PRICE, state: 'committed' } });
      expect(await trpcData(world, 'ledger.createTransaction', spending)).toEqual({ ...spent, created: false });
      const transaction = await trpcData(world, 'ledger.getTransaction', { uuid: spent.transaction.uuid });
      expect(transaction).toEqual(spent.transaction);
      const listed = await trpcData(world, 'ledger.listTransactions', { uuid, includeAggregates: true });
      expect(listed).toMatchObject({
        count: 3,
        nextCursor: null,
        items: expect.arrayContaining([spent.transaction]),
        aggregates: { totalQuantity: 40_500 - PRICE, remainingSubsidyBalance: 40_500 - PRICE, unit: 'usd_cents' },
      });
      const own = await trpcData(
        world,
        'ledger.ownTransactions',
        { uuid },
        tokenFor('enterprise_learner', customer, 1),
      );
      expect(own).toMatchObject({ count: 1, items: [spent.transaction] });

      const back = { uuid, transactionUuid: spent.transaction.uuid };
      expect(await trpcData(world, 'ledger.reverse', back)).toMatchObject({ reversal: { quantity: PRICE } });
      expect(await trpcData(world, 'ledger.aggregatesByLearner', { uuid })).toEqual([]);
      expect(await trpcData(world, 'ledger.canRedeem', { uuid, lmsUserId: 1, contentKey: run })).toMatchObject({
        canRedeem: true,
        contentPrice: PRICE,
        active: true,
      });
      await trpcData(world, 'ledger.deleteSubsidy', { uuid });
      expect(await trpcError(world, 'ledger.getSubsidy', { uuid })).toMatchObject({ status: 404, code: 'not_found' });
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('R-LED-08, R-LED-10: it brings its ledger and, with a starting balance, the first deposit', async () => {
      const { subsidy } = await funded(12_345);
      const { body } = await transactionsOf(subsidy);
      expect(body.results).toMatchObject([
        {
          state: 'committed',
          quantity: 12_345,
          idempotency_key: `ledger-for-subsidy-${subsidy}-12345-initial-deposit`,
          lms_user_id: null,
          content_key: null,
        },
      ]);
      const empty = await newSubsidy(world, { customer: newCustomer(world), balance: 0 });
      expect((await transactionsOf(empty)).body).toMatchObject({ count: 0, results: [] });
      expect(await balanceOf(world, empty)).toBe(0);
    });

    test('R-LED-12: one public subsidy per reference, internal ones aside, however many ask at once', async () => {
      const wish = subsidyBody({ customer: newCustomer(world), balance: 700 });
      const replies = await Promise.all(Array.from({ length: 10 }, () => call('POST', SUBSIDIES, wish)));
      expect(replies.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 9 }, () => 200), 201]);
      expect(new Set(replies.map(({ body }) => body.uuid)).size).toBe(1);
      const internal = { ...wish, default_internal_only: true };
      const internals = [await call('POST', SUBSIDIES, internal), await call('POST', SUBSIDIES, internal)];
      expect(internals.map(({ status }) => status)).toEqual([201, 201]);
      expect(new Set([...internals, ...replies].map(({ body }) => body.uuid)).size).toBe(3);
      // Making an internal one public, or giving it a taken reference, is refused.
      expect(await call('PATCH', `${SUBSIDIES}${internals[0]?.body.uuid}/`, { internal_only: false })).toMatchObject({
        status: 400,
        body: { reference_id: [expect.any(String)] },
      });
      // A deleted subsidy gives its reference free.
      expect((await call('DELETE', `${SUBSIDIES}${replies[0]?.body.uuid}/`)).status).toBe(204);
      expect((await call('POST', SUBSIDIES, wish)).status).toBe(201);
    });

    test.each([
      ['nothing at all', {}, ['reference_id', 'default_title', 'default_starting_balance', 'default_internal_only']],
      ['a unit of seats (R-LED-20)', { default_unit: 'seats' }, ['default_unit']],
      ['a negative balance', { default_starting_balance: -1 }, ['default_starting_balance']],
      ['half a cent', { default_starting_balance: 0.5 }, ['default_starting_balance']],
      [
        'an end before the start',
        { default_expiration_datetime: '2025-01-01T00:00:00Z' },
        ['default_expiration_datetime'],
      ],
      ['a category of nobody', { default_revenue_category: 'none' }, ['default_revenue_category']],
    ])('400: %s', async (_what, change, fields) => {
      const customer = newCustomer(world);
      const isEmpty = Object.keys(change).length === 0;
      const body = isEmpty
        ? { default_enterprise_customer_uuid: customer }
        : { ...subsidyBody({ customer }), ...change };
      const reply = await call('POST', SUBSIDIES, body);
      expect(reply.status).toBe(400);
      expect(Object.keys(reply.body)).toEqual(expect.arrayContaining(fields));
    });

    test('value, unit and owner are fixed; saying what they are is no change', async () => {
      const { subsidy, customer } = await funded();
      const path = `${SUBSIDIES}${subsidy}/`;
      const fixed = {
        enterprise_customer_uuid: customer,
        unit: 'usd_cents',
        reference_type: PROVIDER,
        starting_balance: 100_000,
      };
      expect((await call('PATCH', path, fixed)).status).toBe(200);
      const refused = await call('PATCH', path, { starting_balance: 1, unit: 'seats' });
      const messages = ['This field cannot be changed.'];
      expect(refused).toMatchObject({ status: 400, body: { starting_balance: messages, unit: messages } });
      expect(await call('PATCH', path, { active_datetime: '2028-01-01T00:00:00Z' })).toMatchObject({
        status: 400,
        body: { expiration_datetime: [expect.any(String)] },
      });
    });
  });

  test('the list pages, sorts and searches', async () => {
    const customer = newCustomer(world);
    for (const title of ['Alpha 100%', 'beta', 'Gamma']) {
      world.world.now = new Date(world.world.now.getTime() + 1_000);
      await call('POST', SUBSIDIES, { ...subsidyBody({ customer }), default_title: title });
    }
    world.world.now = new Date(NOW);
    const titles = async (query: string) =>
      (await call('GET', `${SUBSIDIES}?enterprise_customer_uuid=${customer}${query}`)).body.results.map(
        ({ title }: { title: string }) => title,
      );
    expect(await titles('')).toEqual(['Gamma', 'beta', 'Alpha 100%']);
    expect(await titles('&sort_by=created')).toEqual(['Alpha 100%', 'beta', 'Gamma']);
    expect(await titles('&title=A')).toEqual(['Gamma', 'beta', 'Alpha 100%']);
    expect(await titles('&title=GAM')).toEqual(['Gamma']);
    expect(await titles('&title=%25')).toEqual(['Alpha 100%']);
    const page = await call('GET', `${SUBSIDIES}?enterprise_customer_uuid=${customer}&page=2&page_size=2`);
    expect(page.body).toMatchObject({ count: 3, page_count: 2, next: null, results: [{ title: 'Alpha 100%' }] });
    expect(new URL(page.body.previous).searchParams.has('page')).toBe(false);
    expect(await call('GET', `${SUBSIDIES}?enterprise_customer_uuid=${customer}&page=3&page_size=2`)).toMatchObject({
      status: 404,
    });
    expect((await call('GET', `${SUBSIDIES}?sort_by=balance&enterprise_customer_uuid=${customer}`)).status).toBe(200);
  });

  test('R-LED-13: active from the first to the last instant; an open side is open', async () => {
    const { subsidy } = await funded();
    const isActive = async (active: string | null, expiration: string | null) =>
      (await call('PATCH', `${SUBSIDIES}${subsidy}/`, { active_datetime: active, expiration_datetime: expiration }))
        .body.is_active;
    expect(await isActive(NOW, '2026-07-01T00:00:00Z')).toBe(true);
    expect(await isActive('2026-01-01T00:00:00Z', NOW)).toBe(true);
    expect(await isActive('2026-01-01T00:00:00Z', '2026-06-01T11:59:59Z')).toBe(false);
    expect(await isActive('2026-06-01T12:00:01Z', null)).toBe(false);
    // The old service raised where one was missing.
    expect(await isActive(null, null)).toBe(true);
    expect(await isActive(null, '2026-01-01T00:00:00Z')).toBe(false);
  });

  describe('a spend', () => {
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

    test('R-LED-16: who has redeemed cannot again, and sees with what', async () => {
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

    test('through a policy of ours it counts in the budget; the policy of another subsidy is refused', async () => {
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

  describe('a deposit', () => {
    test('R-LED-02: 201 with its exact body; balance and total of deposits rise', async () => {
      const { subsidy } = await funded(1_000);
      const made = await deposit(subsidy, { metadata: { why: 'more' } });
      expect(made.status).toBe(201);
      const ledger = (await world.db('subsidies').where({ uuid: subsidy }).first('ledger_uuid')).ledger_uuid;
      expect(made.body).toEqual({
        uuid: isUuid,
        ledger,
        desired_deposit_quantity: 5_000,
        transaction: isUuid,
        sales_contract_reference_id: '00k1',
        sales_contract_reference_provider: PROVIDER,
      });
      expect((await call('GET', `${SUBSIDIES}${subsidy}/`)).body).toMatchObject({
        current_balance: 6_000,
        starting_balance: 1_000,
        total_deposits: 6_000,
      });
      expect((await call('GET', `/api/v1/transactions/${made.body.transaction}/`)).body).toMatchObject({
        quantity: 5_000,
        state: 'committed',
        idempotency_key: `${ledger}-deposit-5000-sales-contract-00k1`,
        metadata: { why: 'more' },
      });
    });

    test('R-LED-11, example 8: the same again is 422; keys of its own make two', async () => {
      const { subsidy } = await funded(0);
      const body = { desired_deposit_quantity: 50_000 };
      expect((await deposit(subsidy, body)).status).toBe(201);
      expect(await deposit(subsidy, body)).toMatchObject({
        status: 422,
        body: { detail: expect.any(String), code: 'deposit_creation_error' },
      });
      expect((await deposit(subsidy, { ...body, idempotency_key: 'a' })).status).toBe(201);
      expect((await deposit(subsidy, { ...body, idempotency_key: 'b' })).status).toBe(201);
      // A key of the caller's own is a promise that a repeat is the same deposit.
      expect((await deposit(subsidy, { ...body, idempotency_key: 'a' })).status).toBe(200);
      expect((await deposit(subsidy, { desired_deposit_quantity: 1, idempotency_key: 'a' })).status).toBe(422);
      expect(await balanceOf(world, subsidy)).toBe(150_000);
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('twenty at once under one key are one; without a key too, and the others are refused', async () => {
      const { subsidy } = await funded(0);
      const statuses = async (body: object) =>
        (await Promise.all(Array.from({ length: 20 }, () => deposit(subsidy, body))))
          .map(({ status }) => status)
          .sort();
      const nineteen = (status: number) => Array.from({ length: 19 }, () => status);
      expect(await statuses({ idempotency_key: 'x' })).toEqual([...nineteen(200), 201]);
      expect(await statuses({})).toEqual([201, ...nineteen(422)]);
      expect(await balanceOf(world, subsidy)).toBe(10_000);
    });

    test('before the start yes, after the end 422; bad input is 400', async () => {
      const customer = newCustomer(world);
      const early = await newSubsidy(world, { customer, active: '2026-12-01T00:00:00Z' });
      expect((await deposit(early, {})).status).toBe(201);
      const ended = await newSubsidy(world, { customer, expiration: '2026-05-31T00:00:00Z' });
      expect(await deposit(ended, {})).toMatchObject({
        status: 422,
        body: { detail: 'Cannot create a deposit in an expired subsidy', code: 'deposit_on_expired_subsidy' },
      });
      for (const [change, field] of [
        [{ desired_deposit_quantity: 0 }, 'desired_deposit_quantity'],
        [{ desired_deposit_quantity: 1.5 }, 'desired_deposit_quantity'],
        [{ sales_contract_reference_provider: 'nobody' }, 'sales_contract_reference_provider'],
        [{ sales_contract_reference_id: '' }, 'sales_contract_reference_id'],
      ] as const) {
        const reply = await deposit(early, change);
        expect(reply.status).toBe(400);
        expect(Object.keys(reply.body)).toEqual([field]);
      }
      expect(await balanceOf(world, early)).toBe(1_005_000);
    });
  });

  describe('a reversal', () => {
    test('R-LED-07, R-LED-08: gives back once, whatever the key, and says so', async () => {
      const { subsidy } = await funded();
      const { body: made } = await spend(subsidy, {});
      world.world.now = new Date('2026-06-02T00:00:00Z');
      const first = await reverseIn(world, subsidy, made.uuid, { metadata: { by: 'support' } });
      world.world.now = new Date(NOW);
      expect(first.status).toBe(200);
      expect(first.body).toEqual({
        ...made,
        modified: '2026-06-02T00:00:00Z',
        reversal: {
          uuid: isUuid,
          state: 'committed',
          idempotency_key: `admin-invoked-reverse-${made.uuid}`,
          quantity: PRICE,
          metadata: { by: 'support' },
          created: '2026-06-02T00:00:00Z',
          modified: '2026-06-02T00:00:00Z',
        },
      });
      const again = await reverseIn(world, subsidy, made.uuid, { idempotency_key: 'another' });
      expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
      expect(await balanceOf(world, subsidy)).toBe(100_000);
    });

    test('twenty at once give back once', async () => {
      const { subsidy, customer } = await funded();
      const policy = await newPolicy(world, { customer, subsidy });
      const { body } = await redeemAs(world, policy, customer, 1);
      const replies = await Promise.all(Array.from({ length: 20 }, () => reverseIn(world, subsidy, body.uuid)));
      expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set(replies.map((reply) => reply.body.reversal.uuid)).size).toBe(1);
      expect(await balanceOf(world, subsidy)).toBe(100_000);
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('only of committed redemptions of that subsidy', async () => {
      const { subsidy } = await funded();
      const other = await funded();
      const { body: made } = await spend(subsidy, {});
      expect((await reverseIn(world, other.subsidy, made.uuid)).status).toBe(404);
      expect((await reverseIn(world, subsidy, UNKNOWN)).status).toBe(404);
      const first = (await transactionsOf(subsidy, '?ordering=created')).body.results[0];
      const { body: added } = await deposit(subsidy, {});
      for (const uuid of [first.uuid === made.uuid ? added.transaction : first.uuid, added.transaction]) {
        expect(await reverseIn(world, subsidy, uuid)).toMatchObject({
          status: 422,
          body: { code: 'reversal_creation_error' },
        });
      }
      await spend(subsidy, { lms_user_id: 77 });
      const failed = (await transactionsOf(subsidy, '?state=failed')).body.results[0];
      expect((await reverseIn(world, subsidy, failed.uuid)).status).toBe(422);
    });
  });

  test('R-LED-01, example 2: balances, and totals of what a filter finds', async () => {
    const { subsidy } = await funded(15_000);
    const content_key = newCourse(world, { priceCents: 1_000 });
    await spend(subsidy, { content_key });
    const { body: second } = await spend(subsidy, { content_key, lms_user_id: 2 });
    await reverseIn(world, subsidy, second.uuid);
    expect(await balanceOf(world, subsidy)).toBe(14_000);
    expect((await spend(subsidy, { content_key, lms_user_id: 77 })).status).toBe(422);
    expect(await balanceOf(world, subsidy)).toBe(14_000);
    const key = encodeURIComponent(content_key);
    const aggregates = async (query: string) =>
      (await transactionsOf(subsidy, `?content_key=${key}&include_aggregates=True${query}`)).body.aggregates;
    expect(await aggregates('')).toEqual({
      unit: 'usd_cents',
      remaining_subsidy_balance: 14_000,
      total_quantity: -2_000,
    });
    expect(await aggregates('&state=committed&state=pending&state=created')).toMatchObject({
      remaining_subsidy_balance: 14_000,
      total_quantity: -1_000,
    });
  });

  test('R-LED-17: standing enrollments per learner, on request of one policy', async () => {
    const { subsidy, customer } = await funded(1_000_000);
    const [one, two] = [
      await newPolicy(world, { customer, subsidy }),
      await newPolicy(world, { customer, subsidy, spendLimit: 500_000 }),
    ];
    const [a, b, c] = [newCourse(world), newCourse(world), newCourse(world)];
    for (const [policy, learner, key] of [
      [one, 1, a],
      [one, 1, b],
      [two, 1, c],
      [two, 2, a],
    ] as const) {
      expect((await redeemAs(world, policy, customer, learner, key)).status).toBe(200);
    }
    const reversed = await redeemAs(world, two, customer, 2, b);
    await reverseIn(world, subsidy, reversed.body.uuid);
    const counts = async (query = '') =>
      (await call('GET', `${SUBSIDIES}${subsidy}/aggregates-by-learner${query}`)).body.sort(
        (x: { lms_user_id: number }, y: { lms_user_id: number }) => x.lms_user_id - y.lms_user_id,
      );
    expect(await counts()).toEqual([
      { lms_user_id: 1, total: 3 },
      { lms_user_id: 2, total: 1 },
    ]);
    expect(await counts(`?subsidy_access_policy_uuid=${one}`)).toEqual([{ lms_user_id: 1, total: 2 }]);
  });

  test('the list of transactions filters, searches, orders and pages; learners see their own', async () => {
    const { subsidy, customer } = await funded();
    const cheap = newCourse(world, { priceCents: 100, title: 'Cheap_Course' });
    const dear = newCourse(world, { priceCents: 900, title: 'Dear Course' });
    const policy = randomUUID();
    await spend(subsidy, { content_key: cheap });
    world.world.now = new Date('2026-06-01T12:00:01Z');
    await spend(subsidy, { content_key: dear, lms_user_id: 2, subsidy_access_policy_uuid: policy });
    world.world.now = new Date(NOW);
    const quantities = async (query: string) => {
      const { status, body } = await transactionsOf(subsidy, `?${query}`);
      expect(status, JSON.stringify(body)).toBe(200);
      return body.results.map(({ quantity }: { quantity: number }) => quantity);
    };
    expect((await quantities('')).at(0)).toBe(-900);
    expect(await quantities('ordering=quantity')).toEqual([-900, -100, 100_000]);
    expect(await quantities('ordering=-quantity')).toEqual([100_000, -100, -900]);
    expect(await quantities('lms_user_id=1')).toEqual([-100]);
    expect(await quantities(`content_key=${encodeURIComponent(dear)}`)).toEqual([-900]);
    expect(await quantities(`subsidy_access_policy_uuid=${policy}`)).toEqual([-900]);
    expect(await quantities('state=failed')).toEqual([]);
    expect(await quantities('state=failed&state=committed&lms_user_id=2')).toEqual([-900]);
    expect(await quantities('search=LEARNER-2@')).toEqual([-900]);
    expect(await quantities('search=p_c')).toEqual([-100]);
    expect(await quantities(`search=${encodeURIComponent('\\%_"')}`)).toEqual([]);
    expect((await transactionsOf(subsidy, '?state=nonsense')).status).toBe(400);
    expect((await transactionsOf(subsidy, '?page_size=0')).body.results).toHaveLength(3);
    const page = await transactionsOf(subsidy, '?page=2&page_size=2&ordering=quantity');
    expect(page.body).toMatchObject({ count: 3, num_pages: 2, current_page: 2, start: 2, next: null });
    expect(page.body).not.toHaveProperty('aggregates');
    expect(new URL(page.body.previous).searchParams.has('page')).toBe(false);
    expect((await transactionsOf(subsidy, '?page_size=1000')).status).toBe(200);
    expect((await transactionsOf(subsidy, '?page=9')).body).toEqual({ detail: 'Invalid page.' });

    const learner = tokenFor('enterprise_learner', customer, 2);
    const own = await world.call('GET', `/api/v2/subsidies/${subsidy}/transactions/`, learner);
    expect(own.body).toMatchObject({ count: 1, results: [{ quantity: -900, lms_user_id: 2 }] });
    const uuid = own.body.results[0].uuid;
    expect((await world.call('GET', `/api/v1/transactions/${uuid}/`, learner)).status).toBe(200);
    const unknown = await world.call(
      'GET',
      `/api/v2/subsidies/${subsidy}/transactions/`,
      tokenWithoutLearner(customer),
    );
    expect(unknown).toMatchObject({
      status: 404,
      body: { detail: 'Could not determine lms_user_id in this request.' },
    });
    const stranger = tokenFor('enterprise_learner', customer, 1);
    expect((await world.call('GET', `/api/v1/transactions/${uuid}/`, stranger)).status).toBe(403);
    expect((await world.call('GET', `/api/v2/subsidies/${subsidy}/admin/transactions/`, learner)).body).toEqual({
      detail: 'Missing: subsidy.can_read_all_transactions',
    });
    const admin = tokenFor('enterprise_admin', customer, 900);
    expect((await world.call('GET', `/api/v1/transactions/${uuid}/`, admin)).status).toBe(200);
  });

  test('content metadata: what the customer sees of a course', async () => {
    const customer = newCustomer(world);
    const start = new Date('2026-09-01T00:00:00Z');
    const key = newCourse(world, { title: 'Ünïcode “Kurs”', priceCents: 1_999, courseRunStartDate: start });
    const path = (id: string) => `/api/v1/content-metadata/${encodeURIComponent(id)}/`;
    const token = tokenFor('enterprise_learner', customer, 1);
    const reply = await world.call('GET', `${path(key)}?enterprise_customer_uuid=${customer}`, token);
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      content_title: 'Ünïcode “Kurs”',
      content_uuid: null,
      content_key: key.slice('course-v1:'.length, -'+2T2026'.length),
      course_run_uuid: null,
      course_run_key: key,
      course_run_start_date: '2026-09-01T00:00:00Z',
      source: 'edX',
      mode: 'verified',
      content_price: 1_999,
      enroll_by_date: null,
      geag_variant_id: null,
    });
    const missing = await world.call('GET', `${path('no+such')}?enterprise_customer_uuid=${customer}`, token);
    expect(missing).toMatchObject({ status: 404, body: { detail: 'Content not found' } });
    expect((await call('GET', path(key))).status).toBe(400);
  });

  test('the first version of the routes says everything twice', async () => {
    const { subsidy, customer } = await funded();
    const verbose = (error_code: string, message: string) => ({
      error_code,
      developer_message: message,
      user_message: message,
    });
    const path = `${SUBSIDIES}${subsidy}/`;
    expect((await world.call('GET', path, null)).body).toEqual(
      verbose('Unauthorized', 'Authentication credentials were not provided.'),
    );
    const learner = tokenFor('enterprise_learner', customer, 1);
    const denied = await world.call('GET', path, learner);
    expect(denied).toMatchObject({ status: 403, body: verbose('Forbidden', 'MISSING: subsidy.can_read_subsidies') });
    const admin = tokenFor('enterprise_admin', customer, 1);
    // Unknown and foreign look the same to those who may not act everywhere.
    for (const uuid of [UNKNOWN, (await funded()).subsidy]) {
      for (const [method, rest, body] of [
        ['GET', '', undefined],
        ['GET', `can_redeem/?lms_user_id=1&content_key=${encodeURIComponent(run)}`, undefined],
        ['GET', 'aggregates-by-learner', undefined],
      ] as const) {
        const reply = await world.call(method, `${SUBSIDIES}${uuid}/${rest}`, admin, body);
        expect(reply).toMatchObject({ status: 403, body: verbose('Forbidden', 'MISSING: subsidy.can_read_subsidies') });
      }
    }
    expect((await world.call('PATCH', path, admin, { title: 'x' })).body).toEqual(
      verbose('Forbidden', 'MISSING: subsidy.can_write_subsidies'),
    );
    expect((await call('GET', `${SUBSIDIES}${UNKNOWN}/`)).body).toEqual(verbose('Not Found', 'Not found.'));
  });
});
