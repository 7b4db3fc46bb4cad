import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { addLearner, newBudget, newPolicy, POLICIES, PRICE, redeemAs, SUBSIDIES } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { redemptionRequests, TOMORROW } from './requests.ts';

describe.each(dialects)('credits available on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call } = redemptionRequests(() => world);

  const credits = (customer: string, learner: number, token = tokenFor('enterprise_learner', customer, learner)) =>
    world.call(
      'GET',
      `/api/v1/policy-redemption/credits_available/?enterprise_customer_uuid=${customer}&lms_user_id=${learner}`,
      token,
    );
  const remaining = async (customer: string) =>
    (await credits(customer, 1)).body.map((each: Record<string, unknown>) => each.remaining_balance_per_user);

  test('exact body', async () => {
    const group = randomUUID();
    const { customer, policy, subsidy } = await newBudget(world, {
      groups: [group, null],
      learners: [],
      learnerSpendLimit: 20_000,
    });
    addLearner(world, customer, 1, [group]);
    await redeemAs(world, policy, customer, 1);
    const { status, body } = await credits(customer, 1);
    expect(status).toBe(200);
    const { catalog_uuid } = await world.db('policies').where({ uuid: policy }).first('catalog_uuid');
    expect(body).toEqual([
      {
        uuid: policy,
        policy_type: 'PerLearnerSpendCreditAccessPolicy',
        enterprise_customer_uuid: customer,
        display_name: null,
        description: '',
        active: true,
        retired: false,
        retired_at: null,
        catalog_uuid,
        subsidy_uuid: subsidy,
        access_method: 'direct',
        spend_limit: null,
        per_learner_enrollment_limit: null,
        per_learner_spend_limit: 20_000,
        late_redemption_allowed_until: null,
        assignment_configuration: null,
        learner_credit_request_config: null,
        policy_redemption_url: `http://access.test/api/v1/policy-redemption/${policy}/redeem/`,
        is_late_redemption_allowed: false,
        remaining_balance_per_user: 20_000 - PRICE,
        remaining_balance: 1_000_000 - PRICE,
        subsidy_expiration_date: '2027-01-01T00:00:00Z',
        learner_content_assignments: [],
        learner_requests: [],
        group_associations: [group],
      },
    ]);
  });

  test.each([
    ['a spend limit, less what was spent', { learnerSpendLimit: 20_000 }, true, [20_000 - PRICE]],
    ['18: a spend limit of nothing is no credit', { learnerSpendLimit: 0 }, false, []],
    ['a spend limit used up', { learnerSpendLimit: PRICE }, true, []],
    ['no learner limit', {}, true, [null]],
    [
      'an enrollment limit, less the redemptions',
      { type: 'PerLearnerEnrollmentCreditAccessPolicy', enrollmentLimit: 3 },
      true,
      [2],
    ],
    ['an enrollment limit used up', { type: 'PerLearnerEnrollmentCreditAccessPolicy', enrollmentLimit: 1 }, true, []],
    ['a policy limit with a cent left', { spendLimit: PRICE + 1 }, true, [null]],
    ['a policy limit used up', { spendLimit: PRICE }, true, []],
    ['a subsidy used up', { balance: PRICE }, true, []],
  ] as const)('R-RED-40 to R-RED-42: %s', async (_what, wish, redeems, expected) => {
    const { customer, policy } = await newBudget(world, wish);
    if (redeems) expect((await redeemAs(world, policy, customer, 1)).status).toBe(200);
    expect(await remaining(customer)).toEqual(expected);
  });

  test('R-RED-40: retired, ended, outside of the group or the customer: nothing', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    expect(await remaining(customer)).toEqual([null]);
    await call('PATCH', `${SUBSIDIES}${subsidy}/`, { expiration_datetime: '2026-05-31T00:00:00Z' });
    expect(await remaining(customer)).toEqual([]);
    await call('PATCH', `${SUBSIDIES}${subsidy}/`, { expiration_datetime: null });
    await call('PATCH', `${POLICIES}${policy}/`, { retired: true });
    expect(await remaining(customer)).toEqual([]);
    const grouped = await newBudget(world, { groups: [randomUUID()] });
    expect(await remaining(grouped.customer)).toEqual([]);
    const stranger = await newBudget(world, { learners: [] });
    expect(await remaining(stranger.customer)).toEqual([]);
  });

  test('newest policy first; for oneself, or for administrators (W25)', async () => {
    const { customer, policy, subsidy } = await newBudget(world, { learners: [1, 2] });
    const newer = await newPolicy(world, { customer, subsidy, created: TOMORROW });
    const { body } = await credits(customer, 1);
    expect(body.map(({ uuid }: { uuid: string }) => uuid)).toEqual([newer, policy]);
    expect((await credits(customer, 1, tokenFor('enterprise_learner', customer, 2))).status).toBe(403);
    expect((await credits(customer, 1, tokenFor('enterprise_admin', customer, 2))).status).toBe(200);
    const path = `/api/v1/policy-redemption/credits_available/?enterprise_customer_uuid=${customer}`;
    expect(await world.call('GET', path, operatorToken())).toMatchObject({
      status: 400,
      body: { lms_user_id: ['This field is required.'] },
    });
  });
});
