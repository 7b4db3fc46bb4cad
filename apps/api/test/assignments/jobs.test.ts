import { timeText } from '@enterprise-access/db';
import { auditBooks, UpstreamFailure, UpstreamRefusal } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { allocateTo, assignedBudget, PRICE, redeemAs } from '../support/fixtures.ts';
import { dialects, startApp, tokenFor } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';

type Budget = Awaited<ReturnType<typeof assignedBudget>>;
const DAY_MS = 86_400_000;
const START = new Date('2026-06-01T12:00:00Z');

describe.each(dialects)('the jobs of assignments on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  beforeEach(async () => {
    world.world.now = START;
    world.world.mails.length = 0;
    world.world.mailFault = null;
    await world.db('outbox').whereNull('sent').update({ sent: new Date() });
    // What the tests before have left is nobody's work any more.
    await world.db('assignment_configurations').update({ active: false });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });

  const details = {
    courseType: 'executive-education-2u',
    partners: [{ name: 'edX', logoImageUrl: null }],
    imageUrl: 'https://images.example/x.png',
    startDate: new Date('2026-07-01T00:00:00Z'),
    endDate: new Date('2026-09-01T00:00:00Z'),
    priceUsd: 149,
    pacing: 'instructor_paced',
    weeksToComplete: 4,
  };
  /** A budget whose course has everything that mails name. */
  const budgetWith = async (wish: Parameters<typeof assignedBudget>[1] = {}, enrollByDate: Date | null = null) => {
    const budget = await assignedBudget(world, wish);
    for (const key of [budget.course, budget.run]) {
      world.world.contents.set(
        key,
        contentWith({ contentKey: budget.course, courseRunKey: budget.run, details, enrollByDate }),
      );
    }
    return budget;
  };
  const list = async (budget: Budget) =>
    (
      await world.call(
        'GET',
        `/api/v1/assignment-configurations/${budget.configuration}/admin/assignments/?ordering=recent_action_time`,
        tokenFor('enterprise_admin', budget.customer, 7),
      )
    ).body;
  const post = (budget: Budget, action: string, body: object) =>
    world.call(
      'POST',
      `/api/v1/assignment-configurations/${budget.configuration}/admin/assignments/${action}/`,
      tokenFor('enterprise_admin', budget.customer, 7),
      body,
    );
  const only = async (budget: Budget) => (await list(budget)).results[0];
  const typesOf = ({ actions }: { actions: { action_type: string; error_reason: string | null }[] }) =>
    actions.map(({ action_type, error_reason }) => (error_reason ? `${action_type} ${error_reason}` : action_type));
  const pass = (ms: number) => {
    world.world.now = new Date(world.world.now.getTime() + ms);
  };
  const campaigns = () =>
    world.world.mails.map(({ campaign }) => campaign.replace(/^BRAZE_ASSIGNMENT_|_CAMPAIGN$/g, ''));
  const row = (uuid: string) => world.db('assignments').where({ uuid }).first();

  test('R-ASG-18: a new assignment links the learner and sends a mail with all properties', async () => {
    const budget = await budgetWith({}, new Date('2026-06-20T10:00:00Z'));
    await allocateTo(world, budget, ['new@x.example']);
    expect((await list(budget)).learner_state_counts).toEqual([{ learner_state: 'notifying', count: 1 }]);
    expect((await work(world)).map(({ name, result }) => [name, result?.outcome])).toEqual([
      ['assignments.link', 'linked'],
      ['assignments.notify', 'sent'],
    ]);
    expect(world.world.mails).toMatchObject([
      {
        email: 'new@x.example',
        campaign: 'BRAZE_ASSIGNMENT_NOTIFICATION_CAMPAIGN',
        properties: {
          contact_admin_link: null,
          organization: 'Test Company',
          course_title: 'Demo',
          enrollment_deadline: 'Jun 20, 2026',
          start_date: '2026-07-01T00:00:00Z',
          course_partner: 'edX',
          course_card_image: 'https://images.example/x.png',
          learner_portal_link: `http://portal.test/test-${budget.customer}`,
          action_required_by_timestamp: '2026-06-20T10:00:00Z',
        },
      },
    ]);
    const found = await list(budget);
    expect(found.learner_state_counts).toEqual([{ learner_state: 'waiting', count: 1 }]);
    expect(found.results).toMatchObject([{ learner_state: 'waiting', error_reason: null }]);
    expect(typesOf(found.results[0])).toEqual(['allocated', 'learner_linked', 'notified']);
  });

  test('R-ADD-16, worked example 3: a suppressed mail is not sent, the link is made', async () => {
    const budget = await budgetWith();
    await allocateTo(world, budget, ['a@x.example', 'b@x.example'], { suppress_email: true });
    expect((await work(world)).map(({ name }) => name)).toEqual(['assignments.link', 'assignments.link']);
    expect((await list(budget)).learner_state_counts).toEqual([{ learner_state: 'notifying', count: 2 }]);
    expect(world.world.mails).toEqual([]);
  });

  test('R-ADD-17, worked example 4: a linked learner is not linked again', async () => {
    const budget = await budgetWith({ learners: [301] });
    await allocateTo(world, budget, ['learner-301@test.example']);
    expect((await work(world, { only: 'assignments.link' })).map(({ result }) => result?.outcome)).toEqual([
      'was_linked',
    ]);
    const { lms } = world.runtime;
    const original = lms.hasActiveLink;
    const pending: string[] = [];
    const originalAdd = lms.addPendingLearner;
    Object.assign(lms, {
      hasActiveLink: () => Promise.resolve(false),
      addPendingLearner: async (_customer: string, email: string) => pending.push(email),
    });
    try {
      const other = await budgetWith({ learners: [302] });
      await allocateTo(world, other, ['learner-302@test.example']);
      expect((await work(world, { only: 'assignments.link' })).map(({ result }) => result?.outcome)).toEqual([
        'linked',
      ]);
      expect(pending).toEqual(['learner-302@test.example']);
    } finally {
      Object.assign(lms, { hasActiveLink: original, addPendingLearner: originalAdd });
    }
  });

  test('an outage of the mail service delays mails; none is lost or sent twice', async () => {
    const budget = await budgetWith();
    await allocateTo(world, budget, ['late@x.example']);
    world.world.mailFault = () => Promise.reject(new UpstreamFailure('braze', 'down', { isUndone: true }));
    const [first] = await work(world, { only: 'assignments.notify' });
    expect(first?.error).toBeInstanceOf(UpstreamFailure);
    expect(await only(budget)).toMatchObject({ learner_state: 'notifying' });
    world.world.mailFault = null;
    pass(120_000);
    const { payload = {} } = first ?? {};
    const uuid = (await world.db('outbox').where({ name: 'assignments.notify' }).orderBy('position', 'desc').first())
      .uuid;
    for (const outcome of ['sent', 'repeated'])
      expect((await attempt(world, 'assignments.notify', payload, { uuid })).result).toEqual({ outcome });
    expect(campaigns()).toEqual(['NOTIFICATION']);
    expect(typesOf(await only(budget))).toEqual(['allocated', 'notified']);
  });

  test('one invalid address fails alone, once, and changes no state; worked example 8 restarts with each allocation', async () => {
    const budget = await budgetWith();
    await allocateTo(world, budget, ['bad@x.example', 'good@x.example']);
    world.world.mailFault = async (recipients) => {
      if (recipients.some(({ email }) => email === 'bad@x.example')) throw new UpstreamRefusal('braze', 400, {});
    };
    await work(world);
    const bad = async () =>
      (await list(budget)).results.find((each: { learner_email: string }) => each.learner_email === 'bad@x.example');
    expect(await bad()).toMatchObject({
      state: 'allocated',
      learner_state: 'failed',
      error_reason: { action_type: 'notified', error_reason: 'email_error' },
    });
    expect(typesOf(await bad())).toEqual(['allocated', 'learner_linked', 'notified email_error']);
    expect((await list(budget)).learner_state_counts).toEqual([
      { learner_state: 'waiting', count: 1 },
      { learner_state: 'failed', count: 1 },
    ]);
    world.world.mailFault = null;
    const { uuid } = await bad();
    await post(budget, 'cancel', { assignment_uuids: [uuid] });
    pass(1_000);
    await allocateTo(world, budget, ['bad@x.example']);
    expect(await bad()).toMatchObject({ learner_state: 'notifying', error_reason: null });
    await work(world);
    expect(await bad()).toMatchObject({ learner_state: 'waiting', error_reason: null });
  });

  test('W1: a link that finally fails ends what waits, gives its value back, and leaves the rest alone', async () => {
    const budget = await budgetWith({ learners: [302] });
    await allocateTo(world, budget, ['never@x.example', 'learner-302@test.example']);
    await world.db('assignments').where({ learner_email: 'learner-302@test.example' }).update({ lms_user_id: 302 });
    expect((await redeemAs(world, budget.policy, budget.customer, 302, budget.run)).status).toBe(200);
    const { lms } = world.runtime;
    const original = lms.accountOf;
    (lms as { accountOf: typeof original }).accountOf = () => Promise.reject(new UpstreamFailure('lms', 'down'));
    try {
      await work(world, { only: 'assignments.link', isLast: true });
    } finally {
      (lms as { accountOf: typeof original }).accountOf = original;
    }
    const states = Object.fromEntries(
      (await list(budget)).results.map((each: { learner_email: string; state: string }) => [
        each.learner_email,
        each.state,
      ]),
    );
    expect(states).toEqual({ 'never@x.example': 'errored', 'learner-302@test.example': 'accepted' });
    expect((await world.db('policies').where({ uuid: budget.policy }).first()).allocated_cents).toBe(0);
  });

  test('reminders go by the campaign that fits, at most one a day, and show as the recent action (worked example 9)', async () => {
    const budget = await budgetWith();
    await allocateTo(world, budget, ['slow@x.example'], { suppress_email: true });
    const { uuid } = await only(budget);
    expect((await only(budget)).recent_action).toEqual({ action_type: 'assigned', timestamp: timeText(START) });
    pass(3_600_000);
    const reminded = timeText(world.world.now);
    for (let times = 0; times < 2; times += 1) {
      expect((await post(budget, 'remind', { assignment_uuids: [uuid] })).status).toBe(200);
      await work(world);
      pass(60_000);
    }
    expect(campaigns()).toEqual(['REMINDER_NOTIFICATION']);
    expect((await only(budget)).recent_action).toEqual({
      action_type: 'reminded',
      timestamp: reminded,
    });
    expect(typesOf(await only(budget)).filter((type) => type === 'reminded')).toHaveLength(1);
    pass(DAY_MS);
    await world.db('assignments').where({ uuid }).update({ lms_user_id: 303 });
    expect((await post(budget, 'remind-all', {})).status).toBe(202);
    await work(world);
    expect(campaigns()).toEqual(['REMINDER_NOTIFICATION', 'REMINDER_POST_LOGISTRATION_NOTIFICATION']);
  });

  test('a mail whose cause no longer exists is not sent', async () => {
    const budget = await budgetWith();
    await allocateTo(world, budget, ['gone@x.example']);
    const { uuid } = await only(budget);
    await post(budget, 'cancel', { assignment_uuids: [uuid] });
    const outcomes = (await work(world)).map(({ name, result }) => [name, result?.outcome]);
    expect(outcomes).toEqual([
      ['assignments.link', 'over'],
      ['assignments.notify', 'over'],
      ['assignments.tellCancelled', 'sent'],
    ]);
    expect(campaigns()).toEqual(['CANCELLED_NOTIFICATION']);
    expect(typesOf(await only(budget))).toEqual(['allocated', 'cancelled']);
  });

  test('R-ASG-55, worked example 11: after 90 days an assignment expires, its learner is notified and its address removed', async () => {
    const budget = await budgetWith();
    await allocateTo(world, budget, ['expired@x.example'], { suppress_email: true });
    const { uuid } = await only(budget);
    await work(world);
    pass(90 * DAY_MS - 1);
    expect((await attempt(world, 'assignments.expire', {})).result).toMatchObject({ expired: 0, failed: 0 });
    pass(1);
    expect((await attempt(world, 'assignments.expire', {}, { dryRun: true })).result).toMatchObject({ expired: 1 });
    expect((await row(uuid)).state).toBe('allocated');
    expect((await attempt(world, 'assignments.expire', {})).result).toMatchObject({ expired: 1 });
    expect(await row(uuid)).toMatchObject({
      state: 'expired',
      expired_at: world.world.now,
      expiration_reason: 'NINETY_DAYS_PASSED',
    });
    expect((await world.db('policies').where({ uuid: budget.policy }).first()).allocated_cents).toBe(0);
    // The learner has not been told yet.
    expect((await attempt(world, 'assignments.retireAddresses', {})).result).toEqual({ cleared: 0 });
    await work(world);
    expect(campaigns()).toEqual(['AUTOMATIC_CANCELLATION_NOTIFICATION']);
    expect((await attempt(world, 'assignments.retireAddresses', {}, { dryRun: true })).result).toEqual({ cleared: 1 });
    expect((await attempt(world, 'assignments.retireAddresses', {})).result).toEqual({ cleared: 1 });
    const cleared = await row(uuid);
    expect(cleared.learner_email).toMatch(/^retired_user[0-9a-f]{16}@retired\.invalid$/);
    const actions = await world.db('assignment_actions').where({ assignment_uuid: uuid });
    expect(new Set(actions.map(({ learner_email }) => learner_email))).toEqual(new Set([cleared.learner_email]));
    expect((await attempt(world, 'assignments.retireAddresses', {})).result).toEqual({ cleared: 0 });
  });

  test('an enrollment date ends an assignment earlier, and then the address stays', async () => {
    const budget = await budgetWith({}, new Date('2026-06-10T00:00:00Z'));
    await allocateTo(world, budget, ['deadline@x.example'], { suppress_email: true });
    const found = await only(budget);
    expect(found.earliest_possible_expiration).toEqual({
      date: '2026-06-10T00:00:00Z',
      reason: 'ENROLLMENT_DATE_PASSED',
    });
    pass(10 * DAY_MS);
    await attempt(world, 'assignments.expire', {});
    await work(world);
    expect(await row(found.uuid)).toMatchObject({
      expiration_reason: 'ENROLLMENT_DATE_PASSED',
      learner_email: 'deadline@x.example',
    });
    expect((await attempt(world, 'assignments.retireAddresses', {})).result).toEqual({ cleared: 0 });
  });

  test('W9: every row is looked at once, however many expire and whatever becomes of other customers', async () => {
    const budget = await budgetWith({ limit: 100 * PRICE, balance: 100 * PRICE });
    await allocateTo(
      world,
      budget,
      Array.from({ length: 25 }, (_, at) => `many-${at}@x.example`),
      { suppress_email: true },
    );
    pass(91 * DAY_MS);
    const { result } = await attempt(world, 'assignments.expire', { batch: 10 });
    expect(result).toEqual({ expired: 25, configurations: 1, failed: 0 });
    expect((await list(budget)).learner_state_counts).toEqual([{ learner_state: 'expired', count: 25 }]);
  });

  test('R-ASG-62, worked example 15: learners whose course starts on the day are nudged once', async () => {
    const budget = await budgetWith({ learners: [304] });
    await allocateTo(world, budget, ['learner-304@test.example', 'waiting@x.example'], { suppress_email: true });
    await world.db('assignments').where({ learner_email: 'learner-304@test.example' }).update({ lms_user_id: 304 });
    await redeemAs(world, budget.policy, budget.customer, 304, budget.run);
    await work(world);
    const results: { uuid: string; state: string }[] = (await list(budget)).results;
    const uuidOf = (state: string) => results.find((each) => each.state === state)?.uuid ?? '';
    const [accepted, allocated] = [uuidOf('accepted'), uuidOf('allocated')];
    const nudge = (uuids: string[], days: number) =>
      post(budget, 'nudge', { assignment_uuids: uuids, days_before_course_start_date: days });
    const none = {
      status: 422,
      body: {
        error_message: `Could not process the nudge email(s) for assignment_configuration_uuid: ${budget.configuration}`,
      },
    };
    expect(await nudge([allocated], 30)).toMatchObject(none);
    expect(await nudge([accepted], 29)).toMatchObject(none);
    expect(await nudge([accepted], 31)).toMatchObject(none);
    const other = await budgetWith();
    expect(
      await world.call(
        'POST',
        `/api/v1/assignment-configurations/${other.configuration}/admin/assignments/nudge/`,
        tokenFor('enterprise_admin', other.customer, 7),
        { assignment_uuids: [accepted], days_before_course_start_date: 30 },
      ),
    ).toMatchObject({
      status: 422,
      body: {
        error_message: `The list of assignments provided are not associated to the assignment_configuration_uuid: ${other.configuration}`,
      },
    });
    expect(await nudge([accepted, allocated], 30)).toMatchObject({
      status: 200,
      body: { nudged_assignment_uuids: [accepted], unnudged_assignment_uuids: [allocated] },
    });
    expect((await attempt(world, 'assignments.nudge', { daysBeforeCourseStartDate: 30 })).result?.nudged).toBe(1);
    await work(world);
    expect(campaigns()).toEqual(['NUDGE_EXEC_ED_ACCEPTED_ASSIGNMENT']);
    expect(world.world.mails[0]?.properties).toMatchObject({ days_before_course_start_date: 30 });
    // W18: an accepted assignment stays accepted when its nudge fails.
    world.world.mailFault = async () => {
      throw new UpstreamRefusal('braze', 400, {});
    };
    const payload = { assignmentUuid: accepted, startDate: '2026-07-02', days: 31 };
    expect((await attempt(world, 'assignments.nudgeLearner', payload)).result).toEqual({ outcome: 'refused' });
    expect((await row(accepted)).state).toBe('accepted');
  });
});
