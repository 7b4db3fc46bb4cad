import { createHash, randomUUID } from 'node:crypto';
import { auditBooks, reconcile, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { World } from '../support/examples.ts';
import {
  addLearner,
  balanceOf,
  canRedeemAs,
  eventsOf,
  newBudget,
  newCourse,
  newCustomer,
  newPolicy,
  newSubsidy,
  POLICIES,
  PRICE,
  redeemAs,
  reverseIn,
  SUBSIDIES,
  spentOf,
  tokenWithoutLearner,
  trpcData,
  trpcError,
} from '../support/fixtures.ts';
import { dialects, operatorToken, run, startApp, tokenFor } from '../support/harness.ts';
import { attempt } from '../support/work.ts';

const NOW = new Date('2026-06-01T12:00:00Z');
const TOMORROW = new Date('2026-06-02T12:00:00Z');
const NO_FUNDS = "You can't enroll right now because your organization doesn't have enough funds.";
const silence = () => Promise.reject(new UpstreamFailure('lms', 'did not answer'));

describe.each(dialects)('redemptions on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    world.call(method, path, operatorToken(), body);
  /** The one answer of can-redeem about one run. */
  const answerFor = async (customer: string, learner: number, key = run) => {
    const { status, body } = await canRedeemAs(world, customer, learner, [key]);
    expect(status, JSON.stringify(body)).toBe(200);
    return body[0];
  };
  const refusalOf = async (policy: string, customer: string, learner: number, key = run) => {
    const { status, body } = await redeemAs(world, policy, customer, learner, key);
    return status === 422 ? body[0].reason : `status ${status}`;
  };
  /** Runs `work` while enrolments meet the fault. */
  const withFault = async <T>(fault: () => Promise<void>, work: () => Promise<T>): Promise<T> => {
    world.world.enrollmentFault = fault;
    return work().finally(() => {
      world.world.enrollmentFault = null;
    });
  };

  describe('limits, with the numbers of the worked examples', () => {
    test('1: a policy limit of 10000 with 9000 gone: 1000 passes, 1001 does not', async () => {
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
    test('2: a learner limit of 500 with 300 gone: 200 passes, 201 does not; a reversal frees the share', async () => {
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
          ['first_name', 'last_name', 'email', 'date_of_birth', 'terms_accepted_at', 'data_share_consent'].map(
            (name) => [`geag_${name}`, 'x'],
          ),
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

  describe('which policy', () => {
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
    test('7: an assigned policy is asked first, whenever it ends; its refusal is the one to show', async () => {
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

  describe('can-redeem', () => {
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

    test('R-RED-14: only staff ask about others; whoever is not linked is told so', async () => {
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

    test('404: a caller of whom nobody knows which learner they are', async () => {
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

    test('R-RED-06: the subsidy of the policy is gone', async () => {
      const { customer, policy, subsidy } = await newBudget(world);
      await call('DELETE', `${SUBSIDIES}${subsidy}/`);
      expect((await answerFor(customer, 1)).display_reason.reason).toBe('subsidy_expired');
      expect(await refusalOf(policy, customer, 1)).toBe('subsidy_expired');
    });
  });

  describe('what was redeemed already', () => {
    // W4: the old service refused the repeat for lack of value.
    test('9, R-RED-05: a second redeem answers with the first transaction, through another policy too', async () => {
      const { customer, policy, subsidy } = await newBudget(world, { balance: PRICE });
      const first = await redeemAs(world, policy, customer, 1);
      expect(first.status).toBe(200);
      const other = await newPolicy(world, { customer, subsidy, type: 'PerLearnerEnrollmentCreditAccessPolicy' });
      for (const each of [policy, other]) {
        const again = await redeemAs(world, each, customer, 1);
        expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
      }
      expect([await spentOf(world, policy), await spentOf(world, other)]).toEqual([PRICE, 0]);
    });

    test('R-LED-14: what was spent past our policies counts as redeemed, too', async () => {
      const { customer, policy, subsidy } = await newBudget(world);
      const spent = await call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, {
        lms_user_id: 1,
        content_key: run,
        subsidy_access_policy_uuid: randomUUID(),
      });
      expect(spent.status).toBe(201);
      const again = await redeemAs(world, policy, customer, 1);
      expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: spent.body });
      expect(await spentOf(world, policy)).toBe(0);
    });

    test('R-LED-14: what is in flight past our policies is asked for again later, and charged once', async () => {
      const { customer, policy, subsidy } = await newBudget(world);
      const direct = () =>
        call('POST', `/api/v2/subsidies/${subsidy}/admin/transactions/`, {
          lms_user_id: 1,
          content_key: run,
          subsidy_access_policy_uuid: randomUUID(),
        });
      expect((await withFault(silence, direct)).status).toBe(503);
      expect(await redeemAs(world, policy, customer, 1)).toMatchObject({ status: 200, body: { state: 'pending' } });
      world.world.now = new Date(NOW.getTime() + 120_000);
      await attempt(world, 'redemptions.reconcile', {}).finally(() => {
        world.world.now = NOW;
      });
      expect(await redeemAs(world, policy, customer, 1)).toMatchObject({ status: 200, body: { state: 'committed' } });
      expect(await spentOf(world, policy)).toBe(0);
    });

    // W4: the old service hid it and gave the wrong reason.
    test('10, R-RED-12, R-RED-13: a redemption through a policy that was retired later counts', async () => {
      const { customer, policy, subsidy } = await newBudget(world);
      const { body } = await redeemAs(world, policy, customer, 1);
      await newPolicy(world, { customer, subsidy });
      await call('PATCH', `${POLICIES}${policy}/`, { retired: true });
      expect(await answerFor(customer, 1)).toMatchObject({
        has_successful_redemption: true,
        can_redeem: false,
        redeemable_subsidy_access_policy: null,
        reasons: [],
        display_reason: null,
        list_price: { usd: 149, usd_cents: PRICE },
        redemptions: [
          {
            ...body,
            policy_redemption_status_url: `http://access.test/api/v1/transactions/${body.uuid}/`,
            courseware_url: `http://lms.test/courses/${run}/courseware/`,
          },
        ],
      });
    });

    test('5, R-RED-24, R-RED-25: a reversal opens the way for a new attempt with a new key', async () => {
      const { customer, policy, subsidy } = await newBudget(world);
      const first = await redeemAs(world, policy, customer, 1);
      await reverseIn(world, subsidy, first.body.uuid);
      const between = await answerFor(customer, 1);
      expect(between).toMatchObject({ has_successful_redemption: false, can_redeem: true });
      expect(between.redemptions).toMatchObject([{ uuid: first.body.uuid, reversal: { quantity: PRICE } }]);
      const second = await redeemAs(world, policy, customer, 1);
      expect(second.status).toBe(200);
      expect(second.body.uuid).not.toBe(first.body.uuid);
      expect(second.body.idempotency_key).not.toBe(first.body.idempotency_key);
      expect(second.body.idempotency_key).toMatch(new RegExp(`^ledger-for-subsidy-${subsidy}-[0-9a-f]{32}$`));
      expect(await spentOf(world, policy)).toBe(PRICE);
      expect(await eventsOf(world, customer)).toEqual([
        'access.subsidy.redeemed.v1',
        'access.subsidy.redemption-reversed.v1',
        'access.subsidy.redeemed.v1',
      ]);
    });

    // W7: neither charged nor lost; the old service left it open or answered with an error.
    test('5: an enrolment without an answer keeps its key and its value until it is finished', async () => {
      const { customer, policy } = await newBudget(world, { balance: PRICE });
      const pending = await withFault(silence, () => redeemAs(world, policy, customer, 1));
      expect(pending).toMatchObject({ status: 200, body: { state: 'pending', quantity: -PRICE } });
      // What the portals poll says the same until it is over.
      const status = async () => {
        const { pathname } = new URL(pending.body.transaction_status_api_url);
        return (await world.call('GET', pathname, tokenFor('enterprise_learner', customer, 1))).body.state;
      };
      expect(await status()).toBe('pending');
      expect(await spentOf(world, policy)).toBe(PRICE);
      const [row] = (await answerFor(customer, 1)).redemptions;
      expect(row).toMatchObject({ state: 'pending', reversal: null });
      world.world.now = new Date(NOW.getTime() + 120_000);
      const { open } = await reconcile(world.runtime).finally(() => {
        world.world.now = NOW;
      });
      expect(open).toBe(0);
      expect(await status()).toBe('committed');
      const done = await redeemAs(world, policy, customer, 1);
      expect(done).toMatchObject({
        status: 200,
        body: { uuid: row.uuid, state: 'committed', idempotency_key: row.idempotency_key },
      });
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('a silent enrolment is answered soon with the transaction in flight, over both transports; a key asks again', async () => {
      const { customer, policy } = await newBudget(world);
      const enrolled = Promise.withResolvers<void>();
      const token = tokenFor('enterprise_learner', customer, 1);
      const path = `/api/v1/policy-redemption/${policy}/redeem/`;
      const body = { lms_user_id: 1, content_key: run };
      const key = { 'idempotency-key': randomUUID() };
      const work = withFault(
        () => enrolled.promise,
        async () => {
          const soon = await world.call('POST', path, token, body, key);
          expect(soon).toMatchObject({ status: 200, body: { state: 'pending', quantity: -PRICE } });
          const input = { policyUuid: policy, lmsUserId: 1, contentKey: run };
          expect(await trpcData(world, 'redemptions.redeem', input, token)).toMatchObject({
            state: 'pending',
            uuid: soon.body.uuid,
          });
          return soon;
        },
      );
      const soon = await work;
      enrolled.resolve();
      await vi.waitFor(async () => {
        expect((await world.call('POST', path, token, body, key)).body).toMatchObject({
          state: 'committed',
          uuid: soon.body.uuid,
        });
      });
      expect(await spentOf(world, policy)).toBe(PRICE);
      expect(await auditBooks(world.db)).toEqual([]);
    });

    test('a refused enrolment gives everything back, and the words of the LMS stay inside', async () => {
      const { customer, policy, subsidy } = await newBudget(world);
      const refuse = () => Promise.reject(new UpstreamRefusal('lms', 409, { private: 'words' }));
      const refused = await withFault(refuse, () => redeemAs(world, policy, customer, 1));
      expect({ status: refused.status, body: refused.body }).toEqual({
        status: 422,
        body: {
          detail: 'Subsidy Transaction API error: The learner could not be enrolled.',
          code: 'enrollment_error',
          subsidy_status_code: '422',
        },
      });
      expect([await spentOf(world, policy), await balanceOf(world, subsidy)]).toEqual([0, 1_000_000]);
      expect((await answerFor(customer, 1)).can_redeem).toBe(true);
    });
  });

  describe('prices (R-RED-50)', () => {
    test('R-ADD-02, addition example 5: a redeemed run that left every catalog has no price and breaks nothing', async () => {
      const { customer, policy } = await newBudget(world);
      const [vanished, normal] = [newCourse(world), newCourse(world)];
      await redeemAs(world, policy, customer, 1, vanished);
      world.world.contents.delete(vanished);
      const { status, body } = await canRedeemAs(world, customer, 1, [vanished, normal]);
      expect(status).toBe(200);
      expect(body[0]).toMatchObject({
        content_key: vanished,
        list_price: null,
        has_successful_redemption: true,
        can_redeem: false,
        redeemable_subsidy_access_policy: null,
      });
      expect(body[1]).toMatchObject({ content_key: normal, can_redeem: true, list_price: { usd_cents: PRICE } });
    });

    test('R-ADD-03: content that nobody knows has no price, and 200', async () => {
      const { customer } = await newBudget(world);
      expect(await answerFor(customer, 1, 'course-v1:no+such+run')).toMatchObject({
        list_price: null,
        can_redeem: false,
        display_reason: { reason: 'content_not_in_catalog' },
      });
    });

    /** A catalog that fails in one way; the rest is that of the world. */
    const withCatalog = async <T>(change: object, work: () => Promise<T>): Promise<T> => {
      const runtime = world.runtime as { catalog: typeof world.runtime.catalog };
      const real = runtime.catalog;
      runtime.catalog = { ...real, ...change };
      return work().finally(() => {
        runtime.catalog = real;
      });
    };

    test('R-ADD-03: without a policy an unanswered list price is null, a missing one 422', async () => {
      const { customer } = await newBudget(world, { balance: 0 });
      const failing = { listPrice: () => Promise.reject(new UpstreamFailure('catalog', 'did not answer')) };
      const answered = await withCatalog(failing, () => canRedeemAs(world, customer, 1));
      expect(answered).toMatchObject({ status: 200, body: [{ list_price: null, can_redeem: false }] });
      const priceless = { listPrice: async () => ({ price: null }) };
      const refused = await withCatalog(priceless, () => canRedeemAs(world, customer, 1));
      expect({ status: refused.status, body: refused.body }).toEqual({
        status: 422,
        body: {
          detail: `Could not determine list price for content_key ${run} with enterprise customer ${customer}`,
        },
      });
    });

    test('R-ADD-01, R-ADD-04: with a redeemable policy an unreadable price is 422 for the whole call', async () => {
      const { customer } = await newBudget(world);
      const other = newCourse(world);
      let reads = 0;
      const { catalog } = world.runtime;
      const failing = {
        content: (uuid: string, key: string) => {
          if (key === run) reads += 1;
          return reads > 1 && key === run
            ? Promise.reject(new UpstreamRefusal('catalog', 500, {}))
            : catalog.content(uuid, key);
        },
      };
      const refused = await withCatalog(failing, () => canRedeemAs(world, customer, 1, [other, run]));
      expect({ status: refused.status, body: refused.body }).toEqual({
        status: 422,
        body: {
          detail: `Could not determine list price for content_key ${run} with enterprise customer ${customer}`,
        },
      });
    });

    // W9: the old service answered 500.
    test('R-RED-03: redeeming content without a price is 422 and spends nothing', async () => {
      const { customer, policy } = await newBudget(world, { spendLimit: 100_000 });
      const key = newCourse(world, { priceCents: null });
      expect(await redeemAs(world, policy, customer, 1, key)).toMatchObject({
        status: 422,
        body: { detail: `Could not determine price for content_key: ${key}` },
      });
      expect(await spentOf(world, policy)).toBe(0);
    });

    test('a free course is redeemed for nothing, even from an empty budget', async () => {
      const { customer, policy } = await newBudget(world, { balance: 0, spendLimit: 0, learnerSpendLimit: 0 });
      const key = newCourse(world, { priceCents: 0 });
      expect((await answerFor(customer, 1, key)).list_price).toEqual({ usd: 0, usd_cents: 0 });
      expect(await redeemAs(world, policy, customer, 1, key)).toMatchObject({ status: 200, body: { quantity: 0 } });
    });
  });

  describe('credits available', () => {
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

  describe('both transports', () => {
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

  test('all books agree afterwards', async () => {
    expect(await auditBooks(world.db)).toEqual([]);
  });
});
