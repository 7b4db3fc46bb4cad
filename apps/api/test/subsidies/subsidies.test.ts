import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  balanceOf,
  historyOf,
  isUuid,
  newCourse,
  newCustomer,
  newSubsidy,
  operatorUserId,
  PRICE,
  SUBSIDIES,
  subsidyBody,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, run, startApp, tokenFor } from '../support/harness.ts';
import { NOW, PROVIDER, subsidyRequests, UNKNOWN } from './requests.ts';

describe.each(dialects)('subsidies on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, transactionsOf, funded } = subsidyRequests(() => world);

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

      const history = await historyOf(world, made.body.uuid);
      const actor = await operatorUserId(world);
      expect(history.map((row) => [row.action, row.actor_user_id, row.source])).toEqual([
        ['created', actor, 'rest'],
        ['updated', actor, 'rest'],
        ['updated', actor, 'rest'],
        ['updated', actor, 'rest'],
      ]);
      expect(history.at(-1)?.after).toEqual({ isSoftDeleted: true });
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

  test('content metadata of a course for a customer', async () => {
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
