import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  balanceOf,
  newCourse,
  newPolicy,
  redeemAs,
  reverseIn,
  SUBSIDIES,
  tokenWithoutLearner,
} from '../support/fixtures.ts';
import { dialects, startApp, tokenFor } from '../support/harness.ts';
import { NOW, subsidyRequests } from './requests.ts';

describe.each(dialects)('transactions and their totals on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, transactionsOf, spend, funded } = subsidyRequests(() => world);

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
});
