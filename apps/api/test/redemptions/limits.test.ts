import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  addLearner,
  newBudget,
  newCourse,
  POLICIES,
  redeemAs,
  reverseIn,
  spentOf,
  trpcData,
} from '../support/fixtures.ts';
import { dialects, startApp, tokenFor } from '../support/harness.ts';
import { NO_FUNDS, NOW, redemptionRequests, TOMORROW } from './requests.ts';

describe.each(dialects)('limits of redemptions on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, answerFor, refusalOf } = redemptionRequests(() => world);

  test('1: with a policy limit of 10000 and 9000 spent, 1000 passes and 1001 does not', async () => {
    const { customer, policy } = await newBudget(world, { spendLimit: 10_000, learners: [1, 2] });
    const [big, over, exact] = [9_000, 1_001, 1_000].map((priceCents) => newCourse(world, { priceCents }));
    expect((await redeemAs(world, policy, customer, 1, big)).status).toBe(200);
    expect((await answerFor(customer, 2, over)).reasons).toMatchObject([
      {
        reason: 'policy_spend_limit_reached',
        user_message: expect.stringContaining(NO_FUNDS),
        policy_uuids: [policy],
      },
    ]);
    expect(await refusalOf(policy, customer, 2, over)).toBe('policy_spend_limit_reached');
    expect((await answerFor(customer, 2, exact)).can_redeem).toBe(true);
    expect((await redeemAs(world, policy, customer, 2, exact)).status).toBe(200);
    expect(await spentOf(world, policy)).toBe(10_000);
  });

  // W5: the old service went on counting what was reversed.
  test('2: with a learner limit of 500 and 300 spent, 200 passes and 201 does not; a reversal releases the share', async () => {
    const { customer, subsidy, policy } = await newBudget(world, { learnerSpendLimit: 500 });
    const [first, over, exact, all] = [300, 201, 200, 500].map((priceCents) => newCourse(world, { priceCents }));
    const { body } = await redeemAs(world, policy, customer, 1, first);
    expect(await refusalOf(policy, customer, 1, over)).toBe('learner_max_spend_reached');
    expect((await answerFor(customer, 1, over)).display_reason).toMatchObject({
      reason: 'learner_max_spend_reached',
    });
    expect((await answerFor(customer, 1, exact)).can_redeem).toBe(true);
    await reverseIn(world, subsidy, body.uuid);
    expect((await redeemAs(world, policy, customer, 1, all)).status).toBe(200);
    expect(await refusalOf(policy, customer, 1, exact)).toBe('learner_max_spend_reached');
    expect(await auditBooks(world.db)).toEqual([]);
  });

  // W5, R-RED-04.
  test('3: an enrollment limit of 5 with 5 taken is reached; with 2 of them reversed it is not', async () => {
    const { customer, subsidy, policy } = await newBudget(world, {
      type: 'PerLearnerEnrollmentCreditAccessPolicy',
      enrollmentLimit: 5,
    });
    const keys = Array.from({ length: 8 }, () => newCourse(world, { priceCents: 100 }));
    const made: string[] = [];
    for (const key of keys.slice(0, 5)) made.push((await redeemAs(world, policy, customer, 1, key)).body.uuid);
    expect(await refusalOf(policy, customer, 1, keys[5])).toBe('learner_max_enrollments_reached');
    for (const uuid of made.slice(0, 2)) await reverseIn(world, subsidy, uuid);
    for (const key of keys.slice(5, 7)) expect((await redeemAs(world, policy, customer, 1, key)).status).toBe(200);
    expect(await refusalOf(policy, customer, 1, keys[7])).toBe('learner_max_enrollments_reached');
  });

  test('12: a deadline of 2001; late redemption allows it and says so to the LMS', async () => {
    const { customer, policy } = await newBudget(world);
    const key = newCourse(world, { enrollByDate: new Date('2001-01-01T00:00:00Z') });
    expect(await refusalOf(policy, customer, 1, key)).toBe('beyond_enrollment_deadline');
    await call('PATCH', `${POLICIES}${policy}/`, { late_redemption_allowed_until: TOMORROW.toISOString() });
    const made = await redeemAs(world, policy, customer, 1, key);
    expect(made).toMatchObject({ status: 200, body: { metadata: { allow_late_enrollment: true } } });
    world.world.now = TOMORROW;
    addLearner(world, customer, 2);
    const reason = await refusalOf(policy, customer, 2, key).finally(() => {
      world.world.now = NOW;
    });
    expect(reason).toBe('beyond_enrollment_deadline');
  });

  const redeemWith = (budget: { customer: string; policy: string }, metadata: unknown) =>
    world.call(
      'POST',
      `/api/v1/policy-redemption/${budget.policy}/redeem/`,
      tokenFor('enterprise_learner', budget.customer, 1),
      { lms_user_id: 1, content_key: newCourse(world), ...(metadata === undefined ? {} : { metadata }) },
    );

  test('metadata beyond what messages carry on is refused', async () => {
    const budget = await newBudget(world);
    // Characters around the text: {"a":"…"}
    expect((await redeemWith(budget, { a: 'x'.repeat(65_536 - 8) })).status).toBe(200);
    expect(await redeemWith(budget, { a: 'x'.repeat(65_536 - 7) })).toMatchObject({
      status: 400,
      body: { metadata: ['Ensure this value has no more than 65536 characters of JSON.'] },
    });
  });

  test('only the late-redemption window and operators let the LMS enrol after a deadline, over both transports', async () => {
    const budget = await newBudget(world);
    const late = { a: 1, allow_late_enrollment: true, force_enrollment: true };
    const isForced = (uuid: string) => world.world.forcedEnrollments.has(uuid);
    const byRest = (await redeemWith(budget, late)).body;
    const token = tokenFor('enterprise_learner', budget.customer, 1);
    const input = { policyUuid: budget.policy, lmsUserId: 1, contentKey: newCourse(world), metadata: late };
    const byTrpc = await trpcData<{ uuid: string; metadata: unknown }>(world, 'redemptions.redeem', input, token);
    for (const made of [byRest, byTrpc]) {
      expect(made.metadata).toEqual({ a: 1 });
      expect(isForced(made.uuid)).toBe(false);
    }
    const body = { lms_user_id: 1, content_key: newCourse(world), metadata: { allow_late_enrollment: true } };
    const byOperator = await call('POST', `/api/v1/policy-redemption/${budget.policy}/redeem/`, body);
    expect(isForced(byOperator.body.uuid)).toBe(true);
    await call('PATCH', `${POLICIES}${budget.policy}/`, { late_redemption_allowed_until: TOMORROW.toISOString() });
    const inWindow = (await redeemWith(budget, { force_enrollment: true })).body;
    expect(inWindow.metadata).toEqual({ allow_late_enrollment: true });
    expect(isForced(inWindow.uuid)).toBe(true);
  });

  test.each([
    [undefined, /^Subsidy Transaction API error: Missing metadata: geag_first_name, /],
    [
      Object.fromEntries(
        ['first_name', 'last_name', 'email', 'date_of_birth', 'terms_accepted_at', 'data_share_consent'].map((name) => [
          `geag_${name}`,
          'x',
        ]),
      ),
      /^Subsidy Transaction API error: Missing metadata: the provider /,
    ],
  ])(
    'what only an external provider can fulfil is refused by our own ledger and charged to nobody',
    async (metadata, detail) => {
      const budget = await newBudget(world);
      const key = newCourse(world, { source: '2u', mode: 'paid-executive-education' });
      const path = `/api/v1/policy-redemption/${budget.policy}/redeem/`;
      const token = tokenFor('enterprise_learner', budget.customer, 1);
      expect(await world.call('POST', path, token, { lms_user_id: 1, content_key: key, metadata })).toMatchObject({
        status: 422,
        body: { code: 'fulfillment_error', detail: expect.stringMatching(detail), subsidy_status_code: '422' },
      });
      const direct = await call('POST', `/api/v2/subsidies/${budget.subsidy}/admin/transactions/`, {
        lms_user_id: 1,
        content_key: key,
        subsidy_access_policy_uuid: budget.policy,
        metadata,
      });
      expect(direct).toMatchObject({
        status: 422,
        body: { code: 'fulfillment_error', detail: expect.stringMatching(/^Missing metadata: /) },
      });
      expect(await spentOf(world, budget.policy)).toBe(0);
      expect(await auditBooks(world.db)).toEqual([]);
    },
  );

  test('R-RED-22: metadata of the caller passes through, null included, and gains only the late flag', async () => {
    const budget = await newBudget(world);
    const { policy } = budget;
    const redeem = async (metadata: unknown) => (await redeemWith(budget, metadata)).body.metadata;
    expect(await redeem(undefined)).toBeNull();
    expect(await redeem(null)).toBeNull();
    expect(await redeem({})).toEqual({});
    expect(await redeem({ a: [1, null], contentKey: 'x' })).toEqual({ a: [1, null], contentKey: 'x' });
    await call('PATCH', `${POLICIES}${policy}/`, { late_redemption_allowed_until: TOMORROW.toISOString() });
    expect(await redeem({ a: 1 })).toEqual({ a: 1, allow_late_enrollment: true });
  });
});
