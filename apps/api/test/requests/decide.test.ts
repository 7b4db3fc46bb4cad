import { randomUUID } from 'node:crypto';
import { auditBooks } from '@enterprise-access/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { addLearner, PRICE, redeemAs, reverseIn, trpcData, trpcError } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { learnerRequests, REQUESTS, requestBudget } from './requests.ts';

describe.each(dialects)('requests on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { admin, learner, ask, post, approve, list, row, actions, held } = learnerRequests(() => world);

  describe('creating (R-REQ-30 to R-REQ-38)', () => {
    test('a new request is 201 without an action; the second one for the course is 422', async () => {
      const budget = await requestBudget(world, { learners: [501] });
      const made = await ask(budget, 501);
      expect(made).toMatchObject({
        status: 201,
        body: {
          lms_user_id: 501,
          email: 'learner-501@test.example',
          course_id: budget.course,
          course_price: PRICE,
          course_title: null,
          state: 'requested',
          assignment: null,
          latest_action: null,
        },
      });
      expect(made.body).not.toHaveProperty('learner_request_state');
      expect(await ask(budget, 501)).toMatchObject({
        status: 422,
        body: {
          detail: `You already have an active learner credit request for course ${budget.course} under policy UUID: ${budget.policy}.`,
        },
      });
      expect(await actions(made.body.uuid)).toEqual(['requested/requested']);
    });

    test('corrections 5: requests without a course block each other', async () => {
      const budget = await requestBudget(world, { learners: [502] });
      expect((await ask(budget, 502, { course_id: null })).status).toBe(201);
      const again = await ask(budget, 502, { course_id: null });
      expect(again.body.detail).toContain('for course None under policy UUID');
    });

    test('budgets that take no requests are 400, other customers 403', async () => {
      const budget = await requestBudget(world, { learners: [503] });
      const other = await requestBudget(world);
      const unknown = randomUUID();
      expect(await ask(budget, 503, { policy_uuid: unknown })).toMatchObject({
        status: 400,
        body: { detail: `Invalid policy_uuid: ${unknown}.` },
      });
      await world.db('policies').where({ uuid: other.policy }).update({ learner_credit_request_config_uuid: null });
      expect(await ask(budget, 503, { policy_uuid: other.policy })).toMatchObject({
        status: 400,
        body: { detail: `Browse & Request is not active for policy UUID: ${other.policy}.` },
      });
      const foreign = await requestBudget(world);
      expect(await ask(budget, 503, { policy_uuid: foreign.policy })).toMatchObject({
        status: 403,
        body: { detail: 'Missing: requests.has_learner_or_admin_access' },
      });
      expect((await ask(budget, 503, { course_price: 'ten' })).status).toBe(400);
      expect((await ask(budget, 503, { policy_uuid: 'x' })).status).toBe(400);
    });

    test('what is not the caller’s to say is ignored: assignment, decline reason, learner', async () => {
      const budget = await requestBudget(world, { learners: [504] });
      const made = await ask(budget, 504, { assignment: randomUUID(), decline_reason: 'x', lms_user_id: 1, user: 1 });
      expect(made.body).toMatchObject({ assignment: null, decline_reason: null, lms_user_id: 504 });
    });

    test('50 creates at once: one row, the rest the declared refusal', async () => {
      const budget = await requestBudget(world, { learners: [505] });
      const replies = await Promise.all(Array.from({ length: 50 }, () => ask(budget, 505)));
      const statuses = replies.map(({ status }) => status).toSorted((a, b) => a - b);
      expect(statuses).toEqual([201, ...Array.from({ length: 49 }, () => 422)]);
      expect(await world.db('learner_credit_requests').where({ policy_uuid: budget.policy })).toHaveLength(1);
    });

    test('worked example 11: an ended request is used again with the new price, a declined one is not', async () => {
      const budget = await requestBudget(world, { learners: [506] });
      const { uuid } = (await ask(budget, 506)).body;
      await approve(budget, [uuid]);
      const { assignment_uuid: assignment } = await row(uuid);
      expect(await post(budget, 'cancel', { request_uuid: uuid })).toMatchObject({
        status: 200,
        body: { state: 'cancelled', assignment },
      });
      const again = await ask(budget, 506, { course_price: 15_000 });
      expect(again).toMatchObject({
        status: 200,
        body: { uuid, state: 'requested', assignment: null, course_price: 15_000, reviewer_lms_user_id: null },
      });
      expect(again.body.latest_action).toMatchObject({ recent_action: 'requested', status: 'requested' });
      expect((await approve(budget, [uuid])).status).toBe(200);
      expect((await row(uuid)).assignment_uuid).toBe(assignment);
      expect(await held(budget.policy)).toBe(15_000);

      const other = (await ask(budget, 506, { course_id: `edX+${randomUUID()}` })).body.uuid;
      const course = (await row(other)).course_id;
      await post(budget, 'decline', { subsidy_request_uuid: other });
      const second = await ask(budget, 506, { course_id: course });
      expect(second.status).toBe(201);
      expect(second.body.uuid).not.toBe(other);
    });
  });

  describe('approving (R-REQ-40 to R-REQ-49, R-ADD-30 to R-ADD-34)', () => {
    test('worked example 6: allocated, reserved, decided', async () => {
      const budget = await requestBudget(world, { learners: [511] });
      const { uuid } = (await ask(budget, 511)).body;
      expect(await approve(budget, [uuid, uuid])).toMatchObject({
        status: 200,
        body: { approved: [uuid], failed: [], error_message: null },
      });
      const stored = await row(uuid);
      expect(stored).toMatchObject({ state: 'approved', reviewer_lms_user_id: 7 });
      const assignment = await world.db('assignments').where({ uuid: stored.assignment_uuid }).first();
      expect(assignment).toMatchObject({ state: 'allocated', price_cents: PRICE, lms_user_id: 511 });
      expect(await held(budget.policy)).toBe(PRICE);
      expect(await actions(uuid)).toEqual(['requested/requested', 'approved/approved']);
      expect((await list(budget)).body.results).toMatchObject([{ uuid, learner_request_state: 'waiting' }]);
    });

    test.each([
      ['at the lower bound', 14_155, null],
      ['below it', 14_154, 'PriceValidationError'],
      ['at the upper bound', 15_645, null],
      ['above it', 15_646, 'PriceValidationError'],
      ['negative', -1, 'PriceValidationError'],
      ['none', null, 'PriceValidationError'],
    ])('worked example 5: a price %s', async (_case, course_price, reason) => {
      const budget = await requestBudget(world, { learners: [512] });
      const { uuid } = (await ask(budget, 512, { course_price })).body;
      const reply = await approve(budget, [uuid]);
      if (reason === null) return expect(reply.status).toBe(200);
      expect(reply).toMatchObject({ status: 422, body: { approved: [], failed: [uuid], error_message: null } });
      const [listed] = (await list(budget)).body.results;
      expect(listed).toMatchObject({
        state: 'requested',
        learner_request_state: 'failed',
        latest_action: {
          recent_action: 'approved',
          status: 'requested',
          error_reason: 'failed_approval',
          traceback: `Validation failed with reason: ${reason}`,
        },
      });
    });

    test('worked example 9: what is right is committed, the others say why', async () => {
      const budget = await requestBudget(world, { learners: [513, 514, 515] });
      const right = (await ask(budget, 513)).body.uuid;
      const unknown = (await ask(budget, 514, { course_id: 'edX+Nowhere' })).body.uuid;
      const mispriced = (await ask(budget, 515, { course_price: 1 })).body.uuid;
      const reply = await approve(budget, [right, unknown, mispriced]);
      expect(reply.status).toBe(422);
      expect(reply.body).toMatchObject({ approved: [right], error_message: null });
      expect(reply.body.failed.toSorted()).toEqual([unknown, mispriced].toSorted());
      expect(await actions(unknown)).toEqual(['requested/requested', 'approved/requested/failed_approval']);
      expect(await held(budget.policy)).toBe(PRICE);
    });

    test.each([
      ['worked example 7', { balance: PRICE * 2 - 1 }, 'not_enough_value_in_subsidy'],
      ['worked example 8', { limit: PRICE * 2 - 1 }, 'policy_spend_limit_reached'],
    ])('%s: over the budget nothing is approved', async (_case, wish, errorMessage) => {
      const budget = await requestBudget(world, { learners: [516, 517], ...wish });
      const uuids = [(await ask(budget, 516)).body.uuid, (await ask(budget, 517)).body.uuid];
      expect(await approve(budget, uuids)).toMatchObject({
        status: 422,
        body: { approved: [], error_message: errorMessage },
      });
      for (const uuid of uuids)
        expect(await actions(uuid)).toEqual(['requested/requested', 'approved/requested/failed_approval']);
      expect(await held(budget.policy)).toBe(0);
      expect(await world.db('assignments').where({ assignment_configuration_uuid: budget.configuration })).toEqual([]);
      expect((await approve(budget, uuids.slice(0, 1))).status).toBe(200);
    });

    test('worked example 10, R-ADD-34: nothing to approve is 422, another budget or an unknown request 404', async () => {
      const budget = await requestBudget(world, { learners: [518, 519] });
      const { uuid } = (await ask(budget, 518)).body;
      await post(budget, 'decline', { subsidy_request_uuids: [uuid] });
      expect(await approve(budget, [uuid])).toMatchObject({
        status: 422,
        body: { approved: [], failed: [uuid], error_message: null },
      });
      const open = (await ask(budget, 519)).body.uuid;
      expect(await approve(budget, [uuid, open])).toMatchObject({
        status: 200,
        body: { approved: [open], failed: [] },
      });
      expect(await approve(budget, [randomUUID()])).toMatchObject({ status: 404, body: null });
      const other = await requestBudget(world, { learners: [520] });
      const foreign = (await ask(other, 520)).body.uuid;
      expect(await approve(budget, [foreign])).toMatchObject({ status: 404, body: null });
    });

    test('a retired budget approves nothing and says so', async () => {
      const budget = await requestBudget(world, { learners: [521] });
      const { uuid } = (await ask(budget, 521)).body;
      await world.db('policies').where({ uuid: budget.policy }).update({ retired: true });
      expect(await approve(budget, [uuid])).toMatchObject({ status: 422, body: { error_message: 'policy_expired' } });
      expect(await post(budget, 'approve-all', { policy_uuid: budget.policy })).toMatchObject({
        status: 422,
        body: { failed: [uuid], error_message: 'policy_expired' },
      });
    });

    test('approve-all decides all, then there is nothing left', async () => {
      const budget = await requestBudget(world, { learners: [522, 523] });
      const uuids = [(await ask(budget, 522)).body.uuid, (await ask(budget, 523)).body.uuid];
      const reply = await post(budget, 'approve-all', { policy_uuid: budget.policy });
      expect(reply.status).toBe(202);
      expect(reply.body.approved.toSorted()).toEqual(uuids.toSorted());
      expect(await post(budget, 'approve-all', { policy_uuid: budget.policy })).toMatchObject({ status: 404 });
    });

    test('20 administrators approve overlapping batches: one assignment each, never more than there is', async () => {
      const learners = Array.from({ length: 40 }, (_, at) => 600 + at);
      const budget = await requestBudget(world, { learners, limit: 30 * PRICE });
      const uuids = await Promise.all(learners.map(async (id) => (await ask(budget, id)).body.uuid));
      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, at) => {
          const some = [...uuids.slice(at * 2), ...uuids].slice(0, 5);
          return approve(budget, some, tokenFor('enterprise_admin', budget.customer, 700 + at));
        }),
      );
      expect(replies.filter(({ status }) => status !== 200 && status !== 422)).toEqual([]);
      const approved = await world
        .db('learner_credit_requests')
        .where({ policy_uuid: budget.policy, state: 'approved' });
      const assignments = await world
        .db('assignments')
        .where({ assignment_configuration_uuid: budget.configuration, state: 'allocated' });
      expect(assignments).toHaveLength(approved.length);
      expect(new Set(assignments.map(({ lms_user_id }) => lms_user_id)).size).toBe(assignments.length);
      expect(approved.length).toBeLessThanOrEqual(30);
      expect(approved.length).toBeGreaterThan(0);
      expect(await held(budget.policy)).toBe(approved.length * PRICE);
      // Who comes second leaves no failure behind (corrections 7).
      expect(approved.filter(({ latest_action_error: error }) => error !== null)).toEqual([]);
      for (const { uuid } of approved)
        expect((await actions(uuid)).filter((action) => action === 'approved/approved')).toHaveLength(1);
    }, 60_000);
  });

  describe('following the assignment (R-REQ-91)', () => {
    test('redeemed and refunded: accepted, reversed, and the learner can ask again', async () => {
      const budget = await requestBudget(world, { learners: [531] });
      const { uuid } = (await ask(budget, 531)).body;
      await approve(budget, [uuid]);
      const redeemed = await redeemAs(world, budget.policy, budget.customer, 531, budget.run);
      expect(redeemed.status, JSON.stringify(redeemed.body)).toBe(200);
      expect((await row(uuid)).state).toBe('accepted');
      expect((await list(budget)).body.results[0].learner_request_state).toBeNull();
      expect(await post(budget, 'cancel', { request_uuid: uuid })).toMatchObject({
        status: 422,
        body: `Failed to cancel associated assignment with uuid: ${(await row(uuid)).assignment_uuid} for request: ${uuid}.`,
      });
      expect((await reverseIn(world, budget.subsidy, redeemed.body.uuid)).status).toBeLessThan(300);
      expect((await row(uuid)).state).toBe('reversed');
      expect(await ask(budget, 531)).toMatchObject({ status: 200, body: { uuid, state: 'requested' } });
      expect(await actions(uuid)).toEqual([
        'requested/requested',
        'approved/approved',
        'accepted/accepted',
        'cancelled/approved/failed_cancellation',
        'reversed/reversed',
        'requested/requested',
      ]);
    });

    test('a redemption that fails leaves its action; the request stays approved', async () => {
      const budget = await requestBudget(world, { learners: [532] });
      const { uuid } = (await ask(budget, 532)).body;
      await approve(budget, [uuid]);
      const key = `${budget.customer}:532`;
      world.world.enrollmentFault = async () => {
        world.world.learners.delete(key);
      };
      const reply = await redeemAs(world, budget.policy, budget.customer, 532, budget.run);
      world.world.enrollmentFault = null;
      addLearner(world, budget.customer, 532);
      expect(reply.status).toBe(422);
      expect((await row(uuid)).state).toBe('approved');
      expect(await actions(uuid)).toEqual([
        'requested/requested',
        'approved/approved',
        'accepted/approved/failed_redemption',
      ]);
      expect((await post(budget, 'cancel', { request_uuid: uuid })).status).toBe(200);
      expect(await held(budget.policy)).toBe(0);
    });

    test('cancelled by the routes of the assignments: the request is cancelled, one mail', async () => {
      const budget = await requestBudget(world, { learners: [533] });
      const { uuid } = (await ask(budget, 533)).body;
      await approve(budget, [uuid]);
      const path = `/api/v1/assignment-configurations/${budget.configuration}/admin/assignments/cancel/`;
      const assignment_uuids = [(await row(uuid)).assignment_uuid];
      expect((await world.call('POST', path, admin(budget), { assignment_uuids })).status).toBe(200);
      expect(await row(uuid)).toMatchObject({ state: 'cancelled', reviewer_lms_user_id: 7 });
      const mails = await world.db('outbox').where({ enterprise_customer_uuid: budget.customer }).orderBy('position');
      const names = mails.map(({ name }) => name).filter((name) => /tellCancelled/.test(name));
      expect(names).toEqual(['requests.tellCancelled']);
    });
  });

  describe('declining, reminding, cancelling', () => {
    test('additions, worked example 10: all or nothing, and one form only', async () => {
      const budget = await requestBudget(world, { learners: [541, 542] });
      const open = (await ask(budget, 541)).body.uuid;
      const approved = (await ask(budget, 542)).body.uuid;
      await approve(budget, [approved]);
      expect(await post(budget, 'decline', { subsidy_request_uuids: [open, approved] })).toMatchObject({
        status: 400,
        body: {
          non_field_errors: [`Learner Credit Request(s) cannot be declined: ['${approved} (state: approved)']`],
        },
      });
      expect((await row(open)).state).toBe('requested');
      const both = { subsidy_request_uuid: open, subsidy_request_uuids: [open] };
      expect((await post(budget, 'decline', both)).status).toBe(400);
      expect((await post(budget, 'decline', {})).status).toBe(400);
      const unknown = randomUUID();
      expect((await post(budget, 'decline', { subsidy_request_uuid: unknown })).body.non_field_errors).toEqual([
        `Learner Credit Request(s) with UUID(s) ['${unknown}'] not found.`,
      ]);
      const reply = await post(budget, 'decline', {
        subsidy_request_uuids: [open, open],
        decline_reason: 'Too dear.',
        disassociate_from_org: true,
      });
      expect(reply).toMatchObject({ status: 200, body: { declined: [open], non_declinable: [] } });
      expect(await row(open)).toMatchObject({
        state: 'declined',
        decline_reason: 'Too dear.',
        reviewer_lms_user_id: 7,
      });
      expect(await post(budget, 'decline-all', { policy_uuid: budget.policy })).toMatchObject({
        status: 404,
        body: { detail: 'No declinable requests found for the given policy.' },
      });
    });

    test('additions, worked example 9: the approved are reminded, the others named', async () => {
      const budget = await requestBudget(world, { learners: [543, 544] });
      const approved = (await ask(budget, 543)).body.uuid;
      const open = (await ask(budget, 544)).body.uuid;
      await approve(budget, [approved]);
      expect(await post(budget, 'remind', { learner_credit_request_uuids: [approved, open] })).toMatchObject({
        status: 422,
        body: { detail: 'Some requests could not be reminded.', non_remindable: [open] },
      });
      expect(await post(budget, 'remind', { learner_credit_request_uuid: approved })).toMatchObject({
        status: 200,
        body: null,
      });
      expect(await actions(approved)).toEqual([
        'requested/requested',
        'approved/approved',
        'reminded/reminded',
        'reminded/reminded',
      ]);
      expect((await post(budget, 'remind', {})).status).toBe(400);
      expect(await post(budget, 'remind-all', { policy_uuid: budget.policy })).toMatchObject({
        status: 202,
        body: null,
      });
      const derived = { policy_uuid: budget.policy, learner_request_state: 'nonsense' };
      expect((await post(budget, 'remind-all', derived)).status).toBe(404);
    });

    test('additions, worked example 12: what is redeemed stays, the rest is cancelled', async () => {
      const budget = await requestBudget(world, { learners: [545, 546] });
      const redeemed = (await ask(budget, 545)).body.uuid;
      const waiting = (await ask(budget, 546)).body.uuid;
      await approve(budget, [redeemed, waiting]);
      await redeemAs(world, budget.policy, budget.customer, 545, budget.run);
      const uuids = { learner_credit_request_uuids: [redeemed, waiting] };
      expect(await post(budget, 'bulk-cancel', uuids)).toMatchObject({
        status: 422,
        body: { detail: 'Some requests could not be cancelled.', non_cancelable: [redeemed] },
      });
      expect((await row(waiting)).state).toBe('cancelled');
      expect(await held(budget.policy)).toBe(0);
      expect(await post(budget, 'cancel-all', { policy_uuid: budget.policy })).toMatchObject({
        status: 404,
        body: { detail: 'No APPROVED requests found for the given policy.' },
      });
    });

    test('a request without an assignment cannot be cancelled', async () => {
      const budget = await requestBudget(world, { learners: [547] });
      const { uuid } = (await ask(budget, 547)).body;
      expect((await post(budget, 'cancel', { request_uuid: uuid })).status).toBe(422);
      expect(await actions(uuid)).toEqual(['requested/requested']);
    });
  });

  test('W-2: no operation reads or moves a row of another customer', async () => {
    const mine = await requestBudget(world, { learners: [551] });
    const theirs = await requestBudget(world, { learners: [552, 553] });
    const uuid = (await ask(theirs, 552)).body.uuid;
    const approved = (await ask(theirs, 553)).body.uuid;
    await approve(theirs, [approved]);
    const policy_uuid = theirs.policy;
    const calls: [string, object][] = [
      ['approve', { policy_uuid, learner_credit_request_uuids: [uuid] }],
      ['approve-all', { policy_uuid }],
      ['decline', { subsidy_request_uuids: [uuid] }],
      ['decline-all', { policy_uuid }],
      ['remind', { learner_credit_request_uuids: [approved] }],
      ['remind-all', { policy_uuid }],
      ['cancel', { request_uuid: approved }],
      ['bulk-cancel', { learner_credit_request_uuids: [approved] }],
      ['cancel-all', { policy_uuid }],
    ];
    for (const [action, body] of calls) {
      const { status } = await post(mine, action, body);
      expect([400, 404], action).toContain(status);
    }
    expect((await world.call('GET', `${REQUESTS}${uuid}/`, admin(mine))).status).toBe(404);
    expect((await world.call('GET', `${REQUESTS}?policy_uuid=${policy_uuid}`, admin(mine))).body.count).toBe(0);
    expect(await row(uuid)).toMatchObject({ state: 'requested' });
    expect(await row(approved)).toMatchObject({ state: 'approved' });
    expect((await world.call('GET', `${REQUESTS}${uuid}/`, learner(theirs, 552))).status).toBe(200);
    expect((await world.call('GET', `${REQUESTS}${uuid}/`, learner(theirs, 553))).status).toBe(404);
  });

  test('lists: filters, orders, search, counts, overview', async () => {
    const budget = await requestBudget(world, { learners: [561, 562, 563] });
    const [a, b, c] = [
      (await ask(budget, 561)).body.uuid,
      (await ask(budget, 562)).body.uuid,
      (await ask(budget, 563)).body.uuid,
    ];
    await approve(budget, [a]);
    await post(budget, 'decline', { subsidy_request_uuid: b });
    const found = async (query: string) =>
      (await list(budget, query)).body.results.map(({ uuid }: { uuid: string }) => uuid);
    expect(await found('&ordering=created')).toHaveLength(3);
    expect(await found('&state=,approved,declined,&ordering=user__email')).toEqual([a, b]);
    expect(await found('&state=nonsense')).toEqual([]);
    expect(await found('&learner_request_state__in=waiting,declined&ordering=-user__email')).toEqual([b, a]);
    expect(await found('&latest_action_status=requested')).toEqual([c]);
    expect(await found('&user__email=LEARNER-562@test.example')).toEqual([b]);
    expect(await found('&search=learner-563%20TEST')).toEqual([c]);
    expect(await found('&search=%25')).toEqual([]);
    expect(await found('&ordering=state_sort_order,nonsense')).toEqual([c, b, a]);
    expect((await list(budget, '&uuid=x')).status).toBe(400);
    const one = await list(budget, '&page_size=1&page=2');
    expect(one.body).toMatchObject({ count: 3, num_pages: 3, current_page: 2, start: 1 });
    expect(one.body.learner_request_state_counts).toHaveLength(3);
    const query = `enterprise_customer_uuid=${budget.customer}`;
    const overview = await world.call('GET', `${REQUESTS}overview/?${query}`, admin(budget));
    expect(overview.body).toHaveLength(3);
    expect((await world.call('GET', `${REQUESTS}overview/`, admin(budget))).status).toBe(403);
    const own = await world.call('GET', `${REQUESTS}?${query}`, learner(budget, 561));
    expect(own.body).toMatchObject({ count: 1, results: [{ uuid: a }] });
    const page = await trpcData<{ items: { uuid: string }[] }>(
      world,
      'learnerCreditRequests.list',
      { policyUuid: budget.policy, state: 'approved' },
      admin(budget),
    );
    expect(page.items).toMatchObject([{ uuid: a }]);
    expect(
      await trpcError(
        world,
        'learnerCreditRequests.remind',
        { enterpriseCustomerUuid: budget.customer, learnerCreditRequestUuids: [c] },
        admin(budget),
      ),
    ).toMatchObject({ status: 422, code: 'not_all_reminded', details: { nonRemindable: [c] } });
  });

  test('can-request answers for real', async () => {
    const budget = await requestBudget(world, { learners: [571] });
    const can = async (key: string) => {
      const path = `/api/v1/policy-redemption/enterprise-customer/${budget.customer}/can-request/`;
      const reply = await world.call('GET', `${path}?content_key=${encodeURIComponent(key)}`, learner(budget, 571));
      expect(reply.status).toBe(200);
      return reply.body;
    };
    expect(await can(budget.course)).toMatchObject({
      content_key: budget.course,
      reason: null,
      can_request: true,
      requestable_subsidy_access_policy: { uuid: budget.policy },
    });
    expect(await can('edX+Nowhere')).toEqual({ can_request: false, reason: 'content_not_in_catalog' });
    const { uuid } = (await ask(budget, 571)).body;
    expect(await can(budget.course)).toEqual({
      can_request: false,
      reason: 'You already have an active request for this course in state: requested',
      existing_request: uuid,
    });
    const credits = await world.call(
      'GET',
      `/api/v1/policy-redemption/credits_available/?enterprise_customer_uuid=${budget.customer}&lms_user_id=571`,
      learner(budget, 571),
    );
    expect(credits.body).toMatchObject([{ learner_requests: [{ uuid, state: 'requested' }] }]);
    expect(credits.body[0].learner_requests[0]).not.toHaveProperty('learner_request_state');
  });

  test('configurations: one each, not beside a budget that takes requests, and only of visible customers', async () => {
    const CONFIGURATIONS = '/api/v1/customer-configurations/';
    const budget = await requestBudget(world, { learners: [581] });
    const { customer } = budget;
    const make = (body: object) =>
      world.call('POST', CONFIGURATIONS, admin(budget), { enterprise_customer_uuid: customer, ...body });
    const change = (body: object) => world.call('PATCH', `${CONFIGURATIONS}${customer}/`, admin(budget), body);
    expect((await change({})).status).toBe(404);
    expect(await make({ subsidy_requests_enabled: true, subsidy_type: 'license' })).toMatchObject({
      status: 422,
      body: { detail: expect.stringContaining('already enabled for learner credit') },
    });
    expect(await make({ subsidy_type: '' })).toMatchObject({
      status: 201,
      body: { enterprise_customer_uuid: customer, subsidy_requests_enabled: false, subsidy_type: null },
    });
    expect(await make({})).toMatchObject({
      status: 400,
      body: {
        enterprise_customer_uuid: [
          'subsidy request customer configuration with this enterprise customer uuid already exists.',
        ],
      },
    });
    expect((await change({ subsidy_requests_enabled: true })).status).toBe(422);
    expect(await change({ subsidy_type: 'coupon' })).toMatchObject({ status: 200, body: { subsidy_type: 'coupon' } });
    const get = (token: string) => world.call('GET', `${CONFIGURATIONS}${customer}/`, token);
    expect(await get(learner(budget, 581))).toMatchObject({ status: 200, body: { subsidy_type: 'coupon' } });
    const found = await world.call('GET', `${CONFIGURATIONS}?subsidy_type=coupon`, admin(budget));
    expect(found.body).toMatchObject({ count: 1, results: [{ enterprise_customer_uuid: customer }] });
    expect((await world.call('GET', `${CONFIGURATIONS}?subsidy_type=nonsense`, operatorToken())).status).toBe(400);
  });

  test('a course that the learner holds already is not allocated twice', async () => {
    const budget = await requestBudget(world, { learners: [591] });
    const { uuid } = (await ask(budget, 591)).body;
    const path = `/api/v1/policy-allocation/${budget.policy}/allocate/`;
    const allocated = await world.call('POST', path, admin(budget), {
      learner_emails: ['learner-591@test.example'],
      content_key: budget.course,
      content_price_cents: PRICE,
    });
    expect(allocated.status).toBe(202);
    expect(await approve(budget, [uuid])).toMatchObject({ status: 422, body: { failed: [uuid] } });
    expect(await held(budget.policy)).toBe(PRICE);
  });
});
