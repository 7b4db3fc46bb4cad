import { randomUUID } from 'node:crypto';
import { auditBooks, UpstreamRefusal } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, canRedeemAs, PRICE, redeemAs, reverseIn, spentOf } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { assignmentRequests, type Budget } from './requests.ts';

describe.each(dialects)('redemption of assignments on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { admin, adminPath, post, rows, held, typesOf, pass, login } = assignmentRequests(() => world);

  const allocatedTo = async (id: number, wish: Parameters<typeof assignedBudget>[1] = {}, price = PRICE) => {
    const budget = await assignedBudget(world, { learners: [id], ...wish });
    await login(budget, id);
    const reply = await allocateTo(world, budget, [`learner-${id}@test.example`], { content_price_cents: price });
    expect(reply.status, JSON.stringify(reply.body)).toBe(202);
    return { budget, uuid: reply.body.created[0].uuid as string };
  };

  test('R-ASG-28: the learner pays the price of the assignment, and the assignment is accepted with it', async () => {
    const { budget, uuid } = await allocatedTo(101, {}, PRICE - 500);
    const can = await canRedeemAs(world, budget.customer, 101, [budget.run]);
    expect(can.body[0]).toMatchObject({
      can_redeem: true,
      list_price: { usd_cents: PRICE - 500 },
      redeemable_subsidy_access_policy: { uuid: budget.policy },
    });
    const redeemed = await redeemAs(world, budget.policy, budget.customer, 101, budget.run);
    expect(redeemed).toMatchObject({ status: 200, body: { quantity: -(PRICE - 500), state: 'committed' } });
    expect(await rows(budget)).toMatchObject([
      {
        uuid,
        state: 'accepted',
        preferred_course_run_key: budget.run,
        transaction_uuid: redeemed.body.uuid,
        accepted_at: world.world.now,
        redemption_uuid: null,
      },
    ]);
    expect([await held(budget.policy), await spentOf(world, budget.policy)]).toEqual([0, PRICE - 500]);
    const view = await world.call('GET', `${adminPath(budget)}${uuid}/`, admin(budget));
    expect(view.body).toMatchObject({ state: 'accepted', learner_state: null, error_reason: null });
    expect(typesOf(view.body)).toEqual(['allocated', 'redeemed']);
    // The repeat answers with the first transaction.
    expect((await redeemAs(world, budget.policy, budget.customer, 101, budget.run)).body.uuid).toBe(redeemed.body.uuid);
    const after = await canRedeemAs(world, budget.customer, 101, [budget.run]);
    expect(after.body[0]).toMatchObject({ has_successful_redemption: true, list_price: { usd_cents: PRICE - 500 } });
  });

  test('a learner without an assignment is refused, whatever the money', async () => {
    const { budget } = await allocatedTo(102, { learners: [102, 103] });
    expect(await redeemAs(world, budget.policy, budget.customer, 103, budget.run)).toMatchObject({
      status: 422,
      body: [
        {
          reason: 'reason_learner_not_assigned_content',
          user_message: "You can't enroll right now because this course is not assigned to you.",
        },
      ],
    });
  });

  test.each([
    ['cancelled', 'reason_learner_assignment_cancelled'],
    ['errored', 'reason_learner_assignment_failed'],
  ])('R-ASG-27: an assignment that is %s is not redeemed', async (state, reason) => {
    const { budget, uuid } = await allocatedTo(104);
    if (state === 'cancelled') await post(budget, 'cancel', { assignment_uuids: [uuid] });
    else await fail(budget, 104);
    expect((await redeemAs(world, budget.policy, budget.customer, 104, budget.run)).body).toMatchObject([{ reason }]);
    expect([await held(budget.policy), await spentOf(world, budget.policy)]).toEqual([0, 0]);
  });

  const fail = async (budget: Budget, id: number) => {
    world.world.enrollmentFault = () => Promise.reject(new UpstreamRefusal('lms', 409, {}));
    return redeemAs(world, budget.policy, budget.customer, id, budget.run).finally(() => {
      world.world.enrollmentFault = null;
    });
  };

  test('a refused enrolment leaves an errored assignment that holds nothing and can be allocated again', async () => {
    const { budget, uuid } = await allocatedTo(105);
    expect((await fail(budget, 105)).status).toBe(422);
    const view = await world.call('GET', `${adminPath(budget)}${uuid}/`, admin(budget));
    expect(view.body).toMatchObject({
      state: 'errored',
      learner_state: 'failed',
      error_reason: { action_type: 'redeemed', error_reason: 'enrollment_error' },
    });
    const again = await allocateTo(world, budget, ['learner-105@test.example']);
    expect(again.body.updated).toMatchObject([{ uuid, state: 'allocated' }]);
    expect((await redeemAs(world, budget.policy, budget.customer, 105, budget.run)).status).toBe(200);
  });

  test('worked example 17: a reversal ends the assignment; it is allocated and redeemed again', async () => {
    const { budget, uuid } = await allocatedTo(106);
    const first = await redeemAs(world, budget.policy, budget.customer, 106, budget.run);
    await reverseIn(world, budget.subsidy, first.body.uuid);
    await reverseIn(world, budget.subsidy, first.body.uuid);
    expect(await rows(budget)).toMatchObject([{ state: 'reversed', reversed_at: world.world.now }]);
    expect((await redeemAs(world, budget.policy, budget.customer, 106, budget.run)).body).toMatchObject([
      { reason: 'reason_learner_assignment_reversed', user_message: 'None' },
    ]);
    const again = await allocateTo(world, budget, ['learner-106@test.example']);
    expect(again.body.updated).toMatchObject([{ uuid, state: 'allocated', transaction_uuid: null }]);
    const second = await redeemAs(world, budget.policy, budget.customer, 106, budget.run);
    expect(second.status).toBe(200);
    expect(second.body.uuid).not.toBe(first.body.uuid);
    const view = await world.call('GET', `${adminPath(budget)}${uuid}/`, admin(budget));
    expect(typesOf(view.body)).toEqual(['allocated', 'redeemed', 'reversed', 'reallocated', 'redeemed']);
  });

  test('W11: with two runs of one course assigned, each is redeemed as itself', async () => {
    const budget = await assignedBudget(world, { learners: [107] });
    await login(budget, 107);
    const other = `${budget.run}-2`;
    world.world.contents.set(other, contentWith({ contentKey: budget.course, courseRunKey: other }));
    for (const content_key of [budget.run, other]) {
      const reply = await allocateTo(world, budget, ['learner-107@test.example'], { content_key });
      expect(reply.body.created).toMatchObject([
        { content_key, parent_content_key: budget.course, is_assigned_course_run: true },
      ]);
    }
    for (const key of [budget.run, other])
      expect((await redeemAs(world, budget.policy, budget.customer, 107, key)).status).toBe(200);
    expect((await rows(budget)).map(({ state }) => state)).toEqual(['accepted', 'accepted']);
  });

  test('R-ASG-91, worked example 19 of policies: support allocates and redeems at its price', async () => {
    const budget = await assignedBudget(world, { learners: [108] });
    const forced = await world.call('POST', `/api/v1/policy-redemption/${budget.policy}/force/`, operatorToken(), {
      lms_user_id: 108,
      content_key: budget.run,
      content_price_cents: 200,
    });
    expect(forced.status, JSON.stringify(forced.body)).toBe(200);
    expect(await spentOf(world, budget.policy)).toBe(200);
    expect(await rows(budget)).toMatchObject([
      {
        learner_email: 'learner-108@test.example',
        lms_user_id: 108,
        price_cents: 200,
        state: 'accepted',
        transaction_uuid: forced.body.transaction_uuid,
      },
    ]);
    const [made] = await world.db('ledger_transactions').where({ uuid: forced.body.transaction_uuid });
    expect(made.metadata).toEqual(
      typeof made.metadata === 'string'
        ? expect.stringContaining('allow_late_enrollment')
        : { allow_late_enrollment: true },
    );
  });

  test('a forced redemption passes no limit', async () => {
    const budget = await assignedBudget(world, { learners: [109], limit: 100 });
    const forced = await world.call('POST', `/api/v1/policy-redemption/${budget.policy}/force/`, operatorToken(), {
      lms_user_id: 109,
      content_key: budget.run,
      content_price_cents: 200,
    });
    expect(forced).toMatchObject({ status: 422, body: [{ reason: 'policy_spend_limit_reached' }] });
    expect(await rows(budget)).toEqual([]);
  });

  test('R-ASG-43, worked example 16: credits show what the learner has not acknowledged', async () => {
    const { budget, uuid } = await allocatedTo(110);
    const token = tokenFor('enterprise_learner', budget.customer, 110);
    const credits = async () =>
      (
        await world.call(
          'GET',
          `/api/v1/policy-redemption/credits_available/?enterprise_customer_uuid=${budget.customer}&lms_user_id=110`,
          token,
        )
      ).body;
    expect(await credits()).toMatchObject([
      {
        uuid: budget.policy,
        learner_content_assignments: [
          {
            uuid,
            state: 'allocated',
            learner_acknowledged: null,
            actions: [{ action_type: 'allocated', learner_acknowledged: null }],
            content_metadata: { start_date: null, course_type: null, partners: [] },
          },
        ],
      },
    ]);
    const acknowledge = (uuids: string[]) =>
      world.call('POST', `/api/v1/assignment-configurations/${budget.configuration}/acknowledge-assignments/`, token, {
        assignment_uuids: uuids,
      });
    expect(await acknowledge([uuid])).toMatchObject({ status: 200, body: { unacknowledged_assignments: [uuid] } });
    await post(budget, 'cancel', { assignment_uuids: [uuid] });
    expect(await credits()).toMatchObject([
      { learner_content_assignments: [{ uuid, state: 'cancelled', learner_acknowledged: false }] },
    ]);
    expect(await acknowledge([uuid])).toMatchObject({ status: 201, body: { acknowledged_assignments: [uuid] } });
    expect(await acknowledge([uuid])).toMatchObject({
      status: 200,
      body: { already_acknowledged_assignments: [uuid] },
    });
    expect(await credits()).toEqual([]);
    pass(1_000);
    await allocateTo(world, budget, ['learner-110@test.example']);
    pass(1_000);
    await post(budget, 'cancel', { assignment_uuids: [uuid] });
    expect((await acknowledge([uuid])).status).toBe(201);
    const foreign = randomUUID();
    expect(await acknowledge([foreign])).toMatchObject({
      status: 400,
      body: { error: `No assignments found for assignment_uuids=['${foreign}'] and lms_user_id=110.` },
    });
  });
});
