import { timeText } from '@enterprise-access/db';
import { auditBooks } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, historyOf, newPolicy, newSubsidy, PRICE, redeemAs } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp } from '../support/harness.ts';
import { assignmentRequests } from './requests.ts';

describe.each(dialects)('allocation on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { post, rows, held, typesOf, pass } = assignmentRequests(() => world);

  test('R-ASG-17: an allocation answers with the new assignments, and holds their value', async () => {
    const budget = await assignedBudget(world);
    const reply = await allocateTo(world, budget, ['a@x.example', 'b@x.example']);
    expect(reply.status).toBe(202);
    expect(reply.body.updated).toEqual([]);
    expect(reply.body.no_change).toEqual([]);
    expect(reply.body.created).toHaveLength(2);
    const [first] = reply.body.created;
    expect(first).toEqual({
      uuid: expect.any(String),
      assignment_configuration: budget.configuration,
      learner_email: 'a@x.example',
      lms_user_id: null,
      content_key: budget.course,
      parent_content_key: null,
      is_assigned_course_run: false,
      content_title: 'Demo',
      content_quantity: -PRICE,
      state: 'allocated',
      transaction_uuid: null,
      actions: [
        {
          created: timeText(world.world.now),
          modified: timeText(world.world.now),
          uuid: expect.any(String),
          action_type: 'allocated',
          completed_at: timeText(world.world.now),
          error_reason: null,
        },
      ],
      earliest_possible_expiration: {
        date: timeText(new Date(world.world.now.getTime() + 90 * 86_400_000)),
        reason: 'NINETY_DAYS_PASSED',
      },
    });
    expect(await held(budget.policy)).toBe(2 * PRICE);
    const policy = await world.call('GET', `/api/v1/subsidy-access-policies/${budget.policy}/`, operatorToken());
    expect(policy.body.aggregates).toMatchObject({
      amount_allocated_usd_cents: 2 * PRICE,
      spend_available_usd_cents: 8 * PRICE,
    });
    const [history] = await historyOf(world, first.uuid);
    expect(history).toMatchObject({ action: 'created', after: { state: 'allocated' } });
    // Values hold no address: it is in a column of its own.
    expect(JSON.stringify(history?.after)).not.toContain('@');
  });

  test('a policy that moves to another subsidy in between is not allocated to, and both keep their value', async () => {
    const budget = await assignedBudget(world);
    const other = await newSubsidy(world, { customer: budget.customer });
    const runtime = world.runtime as { catalog: typeof world.runtime.catalog };
    const real = runtime.catalog;
    const moveTo = (subsidy: string) =>
      world.call('PATCH', `/api/v1/subsidy-access-policies/${budget.policy}/`, operatorToken(), {
        subsidy_uuid: subsidy,
      });
    const moving: typeof real.contains = async (...asked) => {
      expect((await moveTo(other)).status).toBe(200);
      return real.contains(...asked);
    };
    runtime.catalog = { ...real, contains: moving };
    const reply = await allocateTo(world, budget, ['a@x.example']).finally(() => {
      runtime.catalog = real;
    });
    expect(reply).toMatchObject({ status: 422, body: [{ reason: 'policy_expired' }] });
    expect(await auditBooks(world.db)).toEqual([]);
    expect((await allocateTo(world, budget, ['a@x.example'])).status).toBe(202);
    expect(await moveTo(budget.subsidy)).toMatchObject({
      status: 400,
      body: {
        subsidy_uuid: ['Cannot change the subsidy of this policy while it has allocated assignments.'],
      },
    });
    expect(await auditBooks(world.db)).toEqual([]);
  });

  test('R-ASG-03: the checks come in their order', async () => {
    const budget = await assignedBudget(world, { limit: 10 * PRICE, balance: 100 * PRICE });
    const emails = (n: number) => Array.from({ length: n }, (_, at) => `many-${at}@x.example`);
    const priced = (cents: number, count = 1) =>
      allocateTo(world, budget, emails(count), { content_price_cents: cents });
    expect(await priced(1)).toMatchObject({
      status: 422,
      body: [
        {
          reason: 'PriceValidationError',
          user_message: 'An error occurred while validating the provided price.',
          error_message: `['Requested price 1 for ${budget.course} outside of acceptable interval on canonical course price of ${PRICE}.']`,
          policy_uuids: [budget.policy],
        },
      ],
    });
    expect(await priced(-1)).toMatchObject({
      status: 400,
      body: { content_price_cents: ['Ensure this value is greater than or equal to 0.'] },
    });
    expect(await priced(PRICE, 11)).toMatchObject({
      status: 422,
      body: [
        {
          reason: 'policy_spend_limit_reached',
          policy_uuids: [budget.policy],
          metadata: { enterprise_administrators: [] },
        },
      ],
    });
    // Equality passes.
    expect((await priced(PRICE, 10)).status).toBe(202);
    // A second identical call is not charged, so a full budget is no obstacle (W16).
    expect((await priced(PRICE, 10)).body.no_change).toHaveLength(10);
    const poor = await assignedBudget(world, { limit: 100 * PRICE, balance: 2 * PRICE });
    expect((await allocateTo(world, poor, emails(3))).body).toMatchObject([{ reason: 'not_enough_value_in_subsidy' }]);
    expect(await allocateTo(world, budget, ['no address'])).toMatchObject({
      status: 400,
      body: { learner_emails: { 0: ['Enter a valid email address.'] } },
    });
    expect((await allocateTo(world, budget, ['a@x.example'], { content_key: 'edX+Gone' })).body).toMatchObject([
      { reason: 'content_not_in_catalog' },
    ]);
    await world.db('policies').where({ uuid: budget.policy }).update({ retired: true });
    expect((await priced(PRICE)).body).toMatchObject([{ reason: 'policy_expired' }]);
    expect(await rows(poor)).toEqual([]);
  });

  test('W26: a policy of another type is refused with 422', async () => {
    const budget = await assignedBudget(world);
    const policy = await newPolicy(world, { customer: budget.customer, subsidy: budget.subsidy });
    const reply = await allocateTo(world, { ...budget, policy }, ['a@x.example']);
    expect(reply).toMatchObject({ status: 422, body: [{ reason: 'AllocationException', policy_uuids: [policy] }] });
  });

  test('W17: policies of one subsidy see what the others have allocated; direct redemptions do too', async () => {
    const budget = await assignedBudget(world, { balance: 3 * PRICE, learners: [31, 32, 33] });
    const sibling = await assignedBudget(world, { like: budget });
    const direct = await newPolicy(world, { customer: budget.customer, subsidy: budget.subsidy });
    expect((await allocateTo(world, budget, ['a@x.example', 'b@x.example'])).status).toBe(202);
    expect((await allocateTo(world, sibling, ['c@x.example', 'd@x.example'])).body).toMatchObject([
      { reason: 'not_enough_value_in_subsidy' },
    ]);
    expect((await redeemAs(world, direct, budget.customer, 31, budget.run)).status).toBe(200);
    expect(await redeemAs(world, direct, budget.customer, 32, budget.run)).toMatchObject({
      status: 422,
      body: [{ reason: 'not_enough_value_in_subsidy' }],
    });
    const { body } = await post(budget, 'cancel', { assignment_uuids: [(await rows(budget))[0].uuid] });
    expect(body).toBeNull();
    expect((await redeemAs(world, direct, budget.customer, 32, budget.run)).status).toBe(200);
  });

  test('addresses are taken as the old services took them, and refused by their place in the list', async () => {
    const budget = await assignedBudget(world);
    const good = ["o'neil+r&d@x.example", 'a/b=c!#$%*?^_`{|}~-d@sub-domain.x.co', '1@2.xn--p1ai'];
    const reply = await allocateTo(world, budget, [` ${good[0]}\u00a0`, ...good.slice(1)]);
    expect(reply.status).toBe(202);
    expect(reply.body.created.map(({ learner_email }: { learner_email: string }) => learner_email)).toEqual(good);
    const bad = [
      'a@x',
      '.a@x.example',
      'a..b@x.example',
      'a@-x.example',
      'a b@x.example',
      'ä@x.example',
      `${'a'.repeat(250)}@x.example`,
    ];
    const refused = await allocateTo(world, budget, [good[0] as string, ...bad]);
    expect(refused.status).toBe(400);
    expect(Object.keys(refused.body.learner_emails)).toEqual(bad.map((_, at) => String(at + 1)));
    expect(refused.body.learner_emails[1]).toEqual(['Enter a valid email address.']);
  });

  test('worked example 7: what waits follows the advertised run; price and date stay, nothing is charged', async () => {
    const budget = await assignedBudget(world);
    await allocateTo(world, budget, ['a@x.example']);
    const [before] = await rows(budget);
    world.world.contents.set(
      budget.course,
      contentWith({ contentKey: budget.course, courseRunKey: `${budget.run}-next` }),
    );
    pass(1_000);
    const again = await allocateTo(world, budget, ['a@x.example'], { content_price_cents: PRICE - 1 });
    expect(again.body.updated).toMatchObject([{ uuid: before.uuid, content_quantity: -PRICE }]);
    // Worked example 2 of the audit: a row that is only touched has no action.
    expect(typesOf(again.body.updated[0])).toEqual(['allocated']);
    expect(await rows(budget)).toMatchObject([
      { preferred_course_run_key: `${budget.run}-next`, allocated_at: before.allocated_at, price_cents: PRICE },
    ]);
    expect(await held(budget.policy)).toBe(PRICE);
  });

  test('worked example 1 of the audit: actions record who allocated', async () => {
    const budget = await assignedBudget(world);
    await allocateTo(world, budget, ['a@x.example', 'b@x.example']);
    const [a] = await rows(budget);
    await post(budget, 'cancel', { assignment_uuids: [a.uuid] });
    const reply = await allocateTo(world, budget, ['a@x.example', 'b@x.example', 'c@x.example']);
    expect([reply.body.updated, reply.body.no_change, reply.body.created].map(({ length }) => length)).toEqual([
      1, 1, 1,
    ]);
    const metadataOf = (value: unknown) => (typeof value === 'string' ? JSON.parse(value) : value);
    const batch = (await rows(budget)).find(
      ({ learner_email }) => learner_email === 'c@x.example',
    ).allocation_batch_uuid;
    const actions = (await world.db('assignment_actions').where({ enterprise_customer_uuid: budget.customer }))
      .map((action) => ({ ...action, metadata: metadataOf(action.metadata) }))
      .filter(({ metadata }) => metadata.allocation_batch_id === batch);
    expect(actions.map(({ action_type }) => action_type).sort()).toEqual(['allocated', 'reallocated']);
    for (const action of actions) {
      expect(action).toMatchObject({ actor_lms_user_id: 7, actor_type: 'admin', source: 'api', error_reason: null });
      expect(action.metadata).toMatchObject({
        correlation_id: batch,
        state_after: 'allocated',
        policy_uuid: budget.policy,
      });
    }
  });
});
