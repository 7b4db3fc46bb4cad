import { UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { assertTotals } from '../../../../tooling/test/totals.ts';
import type { World } from '../support/examples.ts';
import { balanceOf, newBudget, newPolicy, POLICIES, PRICE, redeemAs, reverseIn, spentOf } from '../support/fixtures.ts';
import { dialects, operatorToken, run, startApp } from '../support/harness.ts';

type Reply = Awaited<ReturnType<World['call']>>;

const upTo = (count: number, first = 1): number[] => Array.from({ length: count }, (_, index) => first + index);

/** How often each outcome came: a status, with the reason of a refusal. */
const outcomes = (replies: readonly Reply[]): Record<string, number> => {
  const names = replies.map(({ status, body }) =>
    status === 422 ? `422 ${body[0]?.reason ?? body.code}` : `${status}`,
  );
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, list]) => [name, list.length]));
};

describe.each(dialects)('many at once on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    await assertTotals(world.db);
    await world.stop();
  });

  const patch = (policy: string, body: object) => world.call('PATCH', `${POLICIES}${policy}/`, operatorToken(), body);
  const depositInto = (policy: string, cents: number) =>
    world.call('POST', `${POLICIES}${policy}/deposit/`, operatorToken(), {
      quantity_cents: cents,
      sales_contract_reference_id: '00kDEMO0000000009A',
    });
  const committedOf = async (policy: string) => {
    const row = await world
      .db('ledger_transactions')
      .where({ subsidy_access_policy_uuid: policy, state: 'committed', is_reversed: false })
      .sum({ cents: 'quantity_cents' })
      .count({ count: '*' })
      .first();
    return { cents: -Number(row?.cents ?? 0), count: Number(row?.count) };
  };

  /** Waits until no redemption through the policy is pending. */
  const settled = (policy: string) =>
    vi.waitFor(
      async () => {
        const open = await world.db('redemptions').where({ policy_uuid: policy, state: 'pending' }).first('uuid');
        if (open) throw new Error('A redemption is pending.');
      },
      { timeout: 30_000, interval: 50 },
    );

  test('two policies of one subsidy with money for seven: seven of forty learners pass', async () => {
    const learners = upTo(40);
    const { customer, subsidy, policy } = await newBudget(world, { balance: 7 * PRICE, learners });
    const other = await newPolicy(world, { customer, subsidy, type: 'PerLearnerEnrollmentCreditAccessPolicy' });
    const replies = await Promise.all(
      learners.map((id) => redeemAs(world, id % 2 === 0 ? policy : other, customer, id)),
    );
    expect(outcomes(replies)).toEqual({ 200: 7, '422 not_enough_value_in_subsidy': 33 });
    expect((await spentOf(world, policy)) + (await spentOf(world, other))).toBe(7 * PRICE);
    expect(await balanceOf(world, subsidy)).toBe(0);
  });

  test('one learner through two policies of one subsidy at once is charged once', async () => {
    const learners = upTo(20);
    const { customer, subsidy, policy } = await newBudget(world, { balance: 100 * PRICE, learners });
    const other = await newPolicy(world, { customer, subsidy });
    const pairs = await Promise.all(
      learners.map((id) => Promise.all([policy, other].map((each) => redeemAs(world, each, customer, id)))),
    );
    for (const [first, second] of pairs) {
      expect([first?.status, second?.status]).toEqual([200, 200]);
      expect(second?.body.uuid).toBe(first?.body.uuid);
    }
    expect(await balanceOf(world, subsidy)).toBe(80 * PRICE);
    expect((await spentOf(world, policy)) + (await spentOf(world, other))).toBe(20 * PRICE);
  });

  test('deposits in a storm of redemptions: in the end exactly what was paid in is spent', async () => {
    const learners = upTo(60);
    const { customer, subsidy, policy } = await newBudget(world, {
      balance: 10 * PRICE,
      spendLimit: 10 * PRICE,
      learners,
    });
    const redeemAll = () => Promise.all(learners.map((id) => redeemAs(world, policy, customer, id)));
    const [storm, deposits] = await Promise.all([
      redeemAll(),
      Promise.all(upTo(5).map(() => depositInto(policy, 2 * PRICE))),
    ]);
    expect(outcomes(deposits)).toEqual({ 200: 5 });
    for (const name of Object.keys(outcomes(storm)))
      expect(['200', '422 policy_spend_limit_reached', '422 not_enough_value_in_subsidy']).toContain(name);
    const [row] = await world.db('policies').where({ uuid: policy });
    expect(row.spend_limit_cents).toBe(20 * PRICE);
    // Those who were refused come back: the others get their first transaction again.
    expect(outcomes(await redeemAll())[200]).toBe(20);
    expect(await committedOf(policy)).toEqual({ count: 20, cents: 20 * PRICE });
    expect(await balanceOf(world, subsidy)).toBe(0);
  });

  test('deactivation in a storm: either nothing was spent, or the policy stays', async () => {
    const learners = upTo(12);
    const ends = new Set<number>();
    for (let round = 0; round < 12; round += 1) {
      const { customer, policy } = await newBudget(world, { learners });
      const redeems = learners.map((id) => () => redeemAs(world, policy, customer, id));
      const deletion = () => world.call('DELETE', `${POLICIES}${policy}/`, operatorToken(), {});
      // Sometimes first in line, sometimes in the middle.
      const calls = round % 2 === 0 ? [deletion, ...redeems] : [...redeems.slice(0, 1), deletion, ...redeems.slice(1)];
      const replies = await Promise.all(calls.map((each) => each()));
      const [deleted] = replies.splice(round % 2 === 0 ? 0 : 1, 1);
      ends.add(deleted?.status ?? 0);
      const [row] = await world.db('policies').where({ uuid: policy });
      if (deleted?.status === 200) {
        expect(row).toMatchObject({ active: false, spent_cents: 0 });
        expect(outcomes(replies)).toEqual({ '422 policy_expired': 12 });
      } else {
        expect(deleted).toMatchObject({
          status: 400,
          body: { active: ['Cannot deactivate this policy while it has existing spend.'] },
        });
        expect(row).toMatchObject({ active: true, spent_cents: 12 * PRICE });
        expect(outcomes(replies)).toEqual({ 200: 12 });
      }
    }
    expect([...ends].every((status) => status === 200 || status === 400)).toBe(true);
  });

  test('retiring a policy under load: learners with a 200 are charged, refused ones are not', async () => {
    const learners = upTo(30);
    const { customer, policy } = await newBudget(world, { learners });
    const [replies, retired] = await Promise.all([
      Promise.all(learners.map((id) => redeemAs(world, policy, customer, id))),
      redeemAs(world, policy, customer, 1).then(() => patch(policy, { retired: true })),
    ]);
    expect(retired.status).toBe(200);
    const { 200: passed = 0, '422 policy_expired': refused = 0 } = outcomes(replies);
    expect(passed + refused).toBe(30);
    expect(await spentOf(world, policy)).toBe(passed * PRICE);
    expect((await redeemAs(world, policy, customer, 1)).status).toBe(200);
  });

  test('limits that change in a storm hold: the smaller one as soon as it is answered', async () => {
    const learners = upTo(40);
    const { customer, policy } = await newBudget(world, {
      learners,
      balance: 100 * PRICE,
      spendLimit: 50 * PRICE,
    });
    const [first, changed] = await Promise.all([
      Promise.all(learners.slice(0, 20).map((id) => redeemAs(world, policy, customer, id))),
      patch(policy, { spend_limit: 21 * PRICE }),
    ]);
    expect(changed.status).toBe(200);
    expect(outcomes(first)).toEqual({ 200: 20 });
    const rest = await Promise.all(learners.slice(20).map((id) => redeemAs(world, policy, customer, id)));
    expect(outcomes(rest)).toEqual({ 200: 1, '422 policy_spend_limit_reached': 19 });
    expect(await spentOf(world, policy)).toBe(21 * PRICE);
  });

  test('refused enrollments under load release their value: the budget ends exactly full', async () => {
    const learners = upTo(60);
    const { customer, subsidy, policy } = await newBudget(world, {
      balance: 100 * PRICE,
      spendLimit: 15 * PRICE,
      learners,
    });
    let enrolments = 0;
    world.world.enrollmentFault = () => {
      enrolments += 1;
      return enrolments % 3 === 0 ? Promise.reject(new UpstreamRefusal('lms', 409, {})) : Promise.resolve();
    };
    const redeemAll = () => Promise.all(learners.map((id) => redeemAs(world, policy, customer, id)));
    const storm = await redeemAll().finally(() => {
      world.world.enrollmentFault = null;
    });
    for (const name of Object.keys(outcomes(storm)))
      expect(['200', '422 policy_spend_limit_reached', '422 enrollment_error']).toContain(name);
    // On a slow machine a reply says that a redemption is pending, and it can still be refused.
    await settled(policy);
    const paid = await committedOf(policy);
    expect(await spentOf(world, policy)).toBe(paid.cents);
    const pending = storm.filter(({ status, body }) => status === 200 && body.state === 'pending').length;
    expect((outcomes(storm)[200] ?? 0) - pending).toBeLessThanOrEqual(paid.count);
    expect(outcomes(storm)[200] ?? 0).toBeGreaterThanOrEqual(paid.count);
    expect(outcomes(await redeemAll())[200]).toBe(15);
    await settled(policy);
    expect(await committedOf(policy)).toEqual({ count: 15, cents: 15 * PRICE });
    expect(await balanceOf(world, subsidy)).toBe(85 * PRICE);
  });

  test('redeeming and reversing at once: never two that stand, and nothing is lost', async () => {
    const learners = upTo(10);
    const { customer, subsidy, policy } = await newBudget(world, { balance: 20 * PRICE, learners });
    await Promise.all(
      learners.map(async (id) => {
        for (let round = 0; round < 5; round += 1) {
          const [first, second] = await Promise.all([1, 2].map(() => redeemAs(world, policy, customer, id)));
          expect([first?.status, second?.status]).toEqual([200, 200]);
          const [, again] = await Promise.all([
            reverseIn(world, subsidy, first?.body.uuid),
            redeemAs(world, policy, customer, id),
          ]);
          expect(again.status).toBe(200);
        }
      }),
    );
    const standing: { count: number }[] = await world
      .db('ledger_transactions')
      .where({ subsidy_access_policy_uuid: policy, state: 'committed', is_reversed: false, content_key: run })
      .groupBy('lms_user_id')
      .count({ count: '*' });
    expect(standing.every(({ count }) => count === 1)).toBe(true);
    expect(await spentOf(world, policy)).toBe(standing.length * PRICE);
    expect(await balanceOf(world, subsidy)).toBe((20 - standing.length) * PRICE);
  });

  test('one budget, two customers: the storm of one leaves the other alone', async () => {
    const [own, other] = [
      await newBudget(world, { balance: 5 * PRICE, learners: upTo(20) }),
      await newBudget(world, { balance: 5 * PRICE, learners: upTo(20) }),
    ];
    const replies = await Promise.all(
      [own, other].flatMap(({ customer, policy }) => upTo(20).map((id) => redeemAs(world, policy, customer, id))),
    );
    expect(outcomes(replies)).toEqual({ 200: 10, '422 not_enough_value_in_subsidy': 30 });
    expect([await balanceOf(world, own.subsidy), await balanceOf(world, other.subsidy)]).toEqual([0, 0]);
  });
});
