import { createHash, randomUUID } from 'node:crypto';
import { auditBooks, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  newBudget,
  newCourse,
  newCustomer,
  newPolicy,
  newSubsidy,
  POLICIES,
  PRICE,
  redeemAs,
  spentOf,
} from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import { NOW, redemptionRequests } from './requests.ts';

describe.each(dialects)('the policy that pays on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, answerFor, refusalOf, withFault } = redemptionRequests(() => world);

  /** A customer with one policy per subsidy, each subsidy with its end and balance. */
  const budgets = async (wishes: readonly { expiration: string; balance: number; learnerSpendLimit?: number }[]) => {
    const customer = newCustomer(world, [1]);
    const policies: string[] = [];
    for (const [at, wish] of wishes.entries()) {
      const subsidy = await newSubsidy(world, { customer, ...wish });
      const created = new Date(Date.UTC(2026, 0, 1, at));
      const { learnerSpendLimit = null } = wish;
      policies.push(await newPolicy(world, { customer, subsidy, created, learnerSpendLimit }));
    }
    return { customer, policies };
  };

  test('7: what ends first comes first, then the smaller balance', async () => {
    const soon = '2026-06-02T00:00:00Z';
    const cheap = newCourse(world, { priceCents: 10 });
    const { customer, policies } = await budgets([
      { expiration: '2026-06-03T00:00:00Z', balance: 50 },
      { expiration: soon, balance: 100 },
      { expiration: soon, balance: 50 },
    ]);
    const [later, hundred, fifty] = policies;
    const order: string[] = [];
    for (;;) {
      const answer = await answerFor(customer, 1, cheap);
      if (!answer.can_redeem) break;
      const { uuid } = answer.redeemable_subsidy_access_policy;
      order.push(uuid);
      await call('PATCH', `${POLICIES}${uuid}/`, { retired: true });
      if (order.length === 3) break;
    }
    expect(order).toEqual([fifty, hundred, later]);
  });

  test('R-RED-20: the policy of the address pays, whichever would come first', async () => {
    const { customer, policies } = await budgets([
      { expiration: '2026-06-02T00:00:00Z', balance: PRICE },
      { expiration: '2026-06-05T00:00:00Z', balance: PRICE },
    ]);
    const [first, second] = policies as [string, string];
    expect((await answerFor(customer, 1)).redeemable_subsidy_access_policy.uuid).toBe(first);
    const made = await redeemAs(world, second, customer, 1);
    expect(made).toMatchObject({ status: 200, body: { subsidy_access_policy_uuid: second } });
    expect([await spentOf(world, first), await spentOf(world, second)]).toEqual([0, PRICE]);
  });

  test('R-RED-26: attempts through another policy of the subsidy do not change the key', async () => {
    const { customer, subsidy, policy } = await newBudget(world);
    const other = await newPolicy(world, { customer, subsidy, type: 'PerLearnerEnrollmentCreditAccessPolicy' });
    const key = newCourse(world);
    const refused = () => Promise.reject(new UpstreamRefusal('lms', 409, {}));
    expect((await withFault(refused, () => redeemAs(world, other, customer, 1, key))).status).toBe(422);
    const { body } = await redeemAs(world, policy, customer, 1, key);
    const text = `{'lms_user_id': 1, 'content_key': '${key}', 'subsidy_access_policy_uuid': '${policy}', 'historical_redemptions_uuids': []}`;
    const digest = createHash('md5').update(text).digest('hex');
    expect(body.idempotency_key).toBe(`ledger-for-subsidy-${subsidy}-${digest}`);
  });

  test('R-RED-30 to 32: there is no lock that a second learner could meet', async () => {
    const learners = Array.from({ length: 20 }, (_, index) => index + 1);
    const { customer, policy } = await newBudget(world, { learners });
    const replies = await Promise.all(learners.map((learner) => redeemAs(world, policy, customer, learner)));
    expect(replies.map(({ status }) => status)).toEqual(learners.map(() => 200));
    expect(await spentOf(world, policy)).toBe(20 * PRICE);
  });

  // Assigned policies come first in the order; nobody has assignments yet, so they only refuse first.
  test('7: an assigned policy is tried first, whatever its expiration; its refusal is the one to show', async () => {
    const { customer } = await budgets([{ expiration: '2026-06-02T00:00:00Z', balance: 5 }]);
    const subsidy = await newSubsidy(world, { customer, expiration: '2026-12-31T00:00:00Z' });
    const configuration = randomUUID();
    const stamps = { created: NOW, modified: NOW };
    await world
      .db('assignment_configurations')
      .insert({ uuid: configuration, enterprise_customer_uuid: customer, active: true, ...stamps });
    const assigned = await newPolicy(world, { customer, subsidy, spendLimit: 100_000 });
    await world.db('policies').where({ uuid: assigned }).update({
      policy_type: 'AssignedLearnerCreditAccessPolicy',
      access_method: 'assigned',
      assignment_configuration_uuid: configuration,
    });
    const answer = await answerFor(customer, 1);
    expect(answer.reasons.map((each: { reason: string }) => each.reason)).toEqual([
      'reason_learner_not_assigned_content',
      'not_enough_value_in_subsidy',
    ]);
    expect(answer.display_reason).toEqual(answer.reasons[0]);
    expect(await refusalOf(assigned, customer, 1)).toBe('reason_learner_not_assigned_content');
  });

  test('R-RED-10: instants decide, not their text; no end is last; ties are newest first', async () => {
    const { customer, policies } = await budgets([
      { expiration: '2026-12-31T23:30:00+02:00', balance: 100_000 },
      { expiration: '2026-12-31T22:00:00Z', balance: 100_000 },
      { expiration: '2026-12-31T22:00:00Z', balance: 100_000 },
    ]);
    await world
      .db('subsidies')
      .where({ enterprise_customer_uuid: customer })
      .whereIn('uuid', world.db('policies').where({ uuid: policies[2] }).select('subsidy_uuid'))
      .update({ expiration_datetime: null });
    const newest = await newPolicy(world, {
      customer,
      subsidy: (await world.db('policies').where({ uuid: policies[0] }).first('subsidy_uuid')).subsidy_uuid,
      created: new Date(Date.UTC(2026, 1, 1)),
    });
    const order: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      const { uuid } = (await answerFor(customer, 1)).redeemable_subsidy_access_policy;
      order.push(uuid);
      await call('PATCH', `${POLICIES}${uuid}/`, { retired: true });
    }
    expect(order).toEqual([newest, policies[0], policies[1], policies[2]]);
  });

  test('R-RED-11: reasons are collected by code, in order of first occurrence', async () => {
    const { customer, policies } = await budgets([
      { expiration: '2026-07-01T00:00:00Z', balance: 1 },
      { expiration: '2026-08-01T00:00:00Z', balance: 100_000, learnerSpendLimit: 1 },
      { expiration: '2026-09-01T00:00:00Z', balance: 1 },
    ]);
    const answer = await answerFor(customer, 1);
    expect(
      answer.reasons.map((each: { reason: string; policy_uuids: string[] }) => [each.reason, each.policy_uuids]),
    ).toEqual([
      ['not_enough_value_in_subsidy', [policies[0], policies[2]]],
      ['learner_max_spend_reached', [policies[1]]],
    ]);
    expect(answer).toMatchObject({
      can_redeem: false,
      redeemable_subsidy_access_policy: null,
      display_reason: { reason: 'not_enough_value_in_subsidy' },
      list_price: { usd: 149, usd_cents: PRICE },
    });
  });
});
