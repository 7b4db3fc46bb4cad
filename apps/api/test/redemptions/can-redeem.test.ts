import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  addLearner,
  canRedeemAs,
  newBudget,
  newCourse,
  newCustomer,
  newPolicy,
  newSubsidy,
  PRICE,
  redeemAs,
  SUBSIDIES,
  tokenWithoutLearner,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, run, startApp, tokenFor } from '../support/harness.ts';
import { NO_FUNDS, NOW, redemptionRequests } from './requests.ts';

describe.each(dialects)('can-redeem on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { call, answerFor, refusalOf } = redemptionRequests(() => world);

  test('answers with exact bodies, per key in order, duplicates kept', async () => {
    const { customer, policy, subsidy } = await newBudget(world, { spendLimit: 500_000 });
    const other = newCourse(world, { priceCents: 1_999 });
    const { body } = await canRedeemAs(world, customer, 1, [other, run, other]);
    expect(body.map(({ content_key }: { content_key: string }) => content_key)).toEqual([other, run, other]);
    expect(body[0]).toEqual(body[2]);
    const { catalog_uuid } = await world.db('policies').where({ uuid: policy }).first('catalog_uuid');
    expect(body[0]).toEqual({
      content_key: other,
      // Example 17: the old service cut 19.99 to 1998.
      list_price: { usd: 19.99, usd_cents: 1_999 },
      redemptions: [],
      has_successful_redemption: false,
      redeemable_subsidy_access_policy: {
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
        spend_limit: 500_000,
        per_learner_enrollment_limit: null,
        per_learner_spend_limit: null,
        late_redemption_allowed_until: null,
        assignment_configuration: null,
        learner_credit_request_config: null,
        policy_redemption_url: `http://access.test/api/v1/policy-redemption/${policy}/redeem/`,
        is_late_redemption_allowed: false,
      },
      can_redeem: true,
      reasons: [],
      display_reason: null,
    });
  });

  // W3: the old service said yes here and no in redeem.
  test('8: a learner outside of the group of the policy is refused by both, with the contacts they may see', async () => {
    const group = randomUUID();
    const { customer, policy } = await newBudget(world, { groups: [group], learners: [] });
    world.world.customers.set(customer, {
      uuid: customer,
      name: 'Grouped',
      slug: 'grouped',
      contactEmail: 'a@b.c',
      senderAlias: null,
      defaultLanguage: null,
      isWithoutLearnerPortal: false,
      admins: [{ email: 'admin@b.c', lmsUserId: 12 }],
    });
    addLearner(world, customer, 1);
    addLearner(world, customer, 2, [randomUUID(), group]);
    const contact = { email: 'a@b.c', lms_user_id: null };
    expect(await answerFor(customer, 1)).toMatchObject({
      can_redeem: false,
      reasons: [
        {
          reason: 'learner_not_in_enterprise_group',
          user_message: null,
          metadata: { enterprise_administrators: [contact] },
          policy_uuids: [policy],
        },
      ],
    });
    const refused = await redeemAs(world, policy, customer, 1);
    expect({ status: refused.status, body: refused.body }).toEqual({
      status: 422,
      body: [
        {
          reason: 'learner_not_in_enterprise_group',
          user_message: 'None',
          metadata: { enterprise_administrators: [{ email: 'a@b.c', lms_user_id: 'None' }] },
          policy_uuids: [policy],
        },
      ],
    });
    expect((await answerFor(customer, 2)).can_redeem).toBe(true);
    expect((await redeemAs(world, policy, customer, 2)).status).toBe(200);
  });

  // W28: administrators are for administrators.
  test('8: without a contact address administrators are named to staff, not to learners', async () => {
    const customer = newCustomer(world, [1], { admins: [{ email: 'a@b.c', lmsUserId: 12 }] });
    const subsidy = await newSubsidy(world, { customer, balance: 0 });
    const policy = await newPolicy(world, { customer, subsidy });
    const metadataFor = async (token: string, query = '') =>
      (await canRedeemAs(world, customer, 1, [run], token, query)).body[0].reasons[0];
    expect(await metadataFor(tokenFor('enterprise_learner', customer, 1))).toEqual({
      reason: 'not_enough_value_in_subsidy',
      user_message: NO_FUNDS,
      metadata: { enterprise_administrators: [] },
      policy_uuids: [policy],
    });
    const staff = tokenFor('enterprise_learner', customer, 900, { isStaff: true });
    expect((await metadataFor(staff, '&lms_user_id=1')).metadata).toEqual({
      enterprise_administrators: [{ email: 'a@b.c', lms_user_id: 12 }],
    });
    const lonely = newCustomer(world, [1]);
    await newPolicy(world, { customer: lonely, subsidy: await newSubsidy(world, { customer: lonely, balance: 0 }) });
    expect((await answerFor(lonely, 1)).display_reason.user_message).toBe(
      `${NO_FUNDS} Contact your administrator to request more.`,
    );
  });

  test('R-RED-14: only staff can ask about other learners; an unlinked learner gets that reason', async () => {
    const { customer } = await newBudget(world);
    const as = (token: string, query: string) => canRedeemAs(world, customer, 1, [run], token, query);
    const staff = tokenFor('enterprise_learner', customer, 5, { isStaff: true });
    expect((await as(staff, '&lms_user_id=1')).body[0].can_redeem).toBe(true);
    expect((await as(staff, '')).body[0].reasons[0].reason).toBe('learner_not_in_enterprise');
    const ordinary = tokenFor('enterprise_learner', customer, 5);
    expect((await as(ordinary, '&lms_user_id=1')).body[0].reasons[0].reason).toBe('learner_not_in_enterprise');
  });

  test.each([
    ['no key', [], { content_key: ['This field is required.'] }],
    ['a course key', ['edX+DemoX', run], { content_key: { 0: ['Invalid content_key: edX+DemoX'] } }],
    ['an unreadable key', [run, 'nonsense'], { content_key: { 1: ['Invalid content_key: nonsense'] } }],
  ])('400: %s', async (_what, keys, body) => {
    const { customer } = await newBudget(world);
    const reply = await canRedeemAs(world, customer, 1, keys);
    expect({ status: reply.status, body: reply.body }).toEqual({ status: 400, body });
  });

  test('404: a customer without policies', async () => {
    const reply = await canRedeemAs(world, newCustomer(world, [1]), 1);
    expect(reply).toMatchObject({ status: 404, body: { detail: 'No active policies for this customer' } });
  });

  test('404: a caller without a learner id', async () => {
    const { customer } = await newBudget(world);
    const reply = await canRedeemAs(world, customer, 1, [run], tokenWithoutLearner(customer));
    expect(reply).toMatchObject({ status: 404, body: { detail: 'Could not determine a value for lms_user_id' } });
  });

  test('W30: at most two hundred keys', async () => {
    const { customer } = await newBudget(world);
    const statusFor = async (count: number) =>
      (
        await canRedeemAs(
          world,
          customer,
          1,
          Array.from({ length: count }, () => run),
        )
      ).status;
    expect([await statusFor(200), await statusFor(201)]).toEqual([200, 400]);
  });

  test('R-RED-06: the subsidy of the policy does not exist', async () => {
    const { customer, policy, subsidy } = await newBudget(world);
    await call('DELETE', `${SUBSIDIES}${subsidy}/`);
    expect((await answerFor(customer, 1)).display_reason.reason).toBe('subsidy_expired');
    expect(await refusalOf(policy, customer, 1)).toBe('subsidy_expired');
  });

  test('redeem, ask and read through tRPC; refusals are declared', async () => {
    const { customer, policy } = await newBudget(world, { learners: [1, 2], balance: PRICE });
    const token = tokenFor('enterprise_learner', customer, 1);
    const input = { policyUuid: policy, lmsUserId: 1, contentKey: run };
    type Made = { uuid: string; quantity: number; created: Date };
    const made = await trpcData<Made>(world, 'redemptions.redeem', input, token);
    expect(made).toMatchObject({ quantity: -PRICE, created: NOW, lmsUserId: 1 });
    expect(await trpcData(world, 'redemptions.redeem', input, token)).toEqual(made);
    expect(await trpcData(world, 'redemptions.get', { uuid: made.uuid }, token)).toEqual(made);
    const asked = { enterpriseCustomerUuid: customer, contentKey: [run] };
    expect(await trpcData(world, 'redemptions.canRedeem', asked, token)).toMatchObject([
      {
        hasSuccessfulRedemption: true,
        redemptions: [{ ...made, coursewareUrl: `http://lms.test/courses/${run}/courseware/` }],
      },
    ]);
    const second = tokenFor('enterprise_learner', customer, 2);
    const refused = await trpcError(world, 'redemptions.redeem', { ...input, lmsUserId: 2 }, second);
    expect(refused).toMatchObject({
      status: 422,
      code: 'not_redeemable',
      details: { reasons: [{ reason: 'not_enough_value_in_subsidy', policyUuids: [policy] }] },
    });
  });

  test('explain lists every check with its inputs, for administrators', async () => {
    const { customer, policy } = await newBudget(world, { balance: 1, spendLimit: 100 });
    const input = { enterpriseCustomerUuid: customer, policyUuid: policy, lmsUserId: 1, contentKey: run };
    type Explained = { checks: { reason: string; verdict: string; inputs: object }[] };
    const token = tokenFor('enterprise_admin', customer, 900);
    const explained = await trpcData<Explained>(world, 'redemptions.explain', input, token);
    expect(explained).toMatchObject({
      redeemable: false,
      alreadyRedeemed: false,
      reason: 'not_enough_value_in_subsidy',
    });
    const failed = explained.checks.filter(({ verdict }) => verdict === 'failed');
    expect(failed).toMatchObject([
      { reason: 'not_enough_value_in_subsidy', inputs: { balanceCents: 1, priceCents: PRICE } },
      { reason: 'policy_spend_limit_reached', inputs: { spendLimitCents: 100, spentCents: 0 } },
    ]);
  });

  test('can-request: nothing can be requested yet', async () => {
    const { customer } = await newBudget(world);
    const ask = (uuid: string) =>
      world.call(
        'GET',
        `/api/v1/policy-redemption/enterprise-customer/${uuid}/can-request/?content_key=edX%2BDemoX`,
        tokenFor('enterprise_learner', uuid, 1),
      );
    expect((await ask(customer)).body).toEqual({ can_request: false, reason: 'No policies with BnR enabled found' });
    expect((await ask(newCustomer(world, [1]))).body).toEqual({
      can_request: false,
      reason: 'No active policies for this customer',
    });
  });
});
