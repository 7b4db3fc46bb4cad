import { auditBooks } from '@enterprise-access/domain';
import { contentWith } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { attempt, work } from '../support/work.ts';
import { learnerRequests, type RequestBudget, requestBudget } from './requests.ts';

const DAY_MS = 86_400_000;
const START = new Date('2026-06-01T12:00:00Z');

describe.each(dialects)('the jobs of requests on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect, { poolSize: 20 });
  });
  beforeEach(async () => {
    world.world.now = START;
    world.world.mails.length = 0;
    await world.db('outbox').whereNull('sent').update({ sent: new Date() });
    await world.db('assignment_configurations').update({ active: false });
  });
  afterAll(async () => {
    expect(await auditBooks(world.db)).toEqual([]);
    await world.stop();
  });
  const { ask, post, approve, row, actions, held } = learnerRequests(() => world);

  /** A budget whose course has everything that mails name. */
  const budgetOf = async (learner: number): Promise<RequestBudget> => {
    const budget = await requestBudget(world, { learners: [learner] });
    const details = {
      courseType: 'verified-audit',
      partners: [{ name: 'edX', logoImageUrl: null }],
      imageUrl: 'https://images.example/x.png',
      startDate: new Date('2026-07-01T00:00:00Z'),
      endDate: new Date('2026-09-01T00:00:00Z'),
      priceUsd: 149,
      pacing: 'instructor_paced',
      weeksToComplete: 4,
    };
    for (const key of [budget.course, budget.run])
      world.world.contents.set(key, contentWith({ contentKey: budget.course, courseRunKey: budget.run, details }));
    return budget;
  };
  const mails = () =>
    world.world.mails.map(({ campaign, email }) => [
      campaign.replace(/^BRAZE_LEARNER_CREDIT_BNR_|_NOTIFICATION_CAMPAIGN$/g, ''),
      email,
    ]);
  const admin = 'boss@test.example';

  test('new, approved, reminded, cancelled: one mail each, to addresses in lower case', async () => {
    const budget = await budgetOf(801);
    const { uuid } = (await ask(budget, 801)).body;
    await work(world);
    expect(await row(uuid)).toMatchObject({ course_title: 'Demo' });
    expect(world.world.mails[0]?.properties).toMatchObject({ total_requests: 1, organization: 'Test Company' });
    await approve(budget, [uuid]);
    await work(world);
    await post(budget, 'remind', { learner_credit_request_uuid: uuid });
    await work(world);
    await post(budget, 'cancel', { request_uuid: uuid });
    await work(world);
    const learner = 'learner-801@test.example';
    expect(mails()).toEqual([
      ['NEW_REQUESTS', admin],
      ['APPROVED', learner],
      ['REMIND', learner],
      ['CANCEL', learner],
    ]);
    expect(world.world.mails[1]?.properties).toMatchObject({ course_title: 'Demo', course_partner: 'edX' });
  });

  test('declined: the mail has the reason, and the learner is unlinked', async () => {
    const budget = await budgetOf(802);
    const { uuid } = (await ask(budget, 802)).body;
    await work(world);
    const more = { decline_reason: 'Too dear.', disassociate_from_org: true };
    await post(budget, 'decline', { subsidy_request_uuid: uuid, ...more });
    await work(world);
    expect(world.world.mails.at(-1)).toMatchObject({
      campaign: 'BRAZE_LEARNER_CREDIT_BNR_DECLINE_NOTIFICATION_CAMPAIGN',
      properties: { decline_reason: 'Too dear.' },
    });
    expect(world.world.learners.has(`${budget.customer}:802`)).toBe(false);
  });

  test('corrections 67: expired after 90 days with its assignment, told once, and can be asked for again', async () => {
    const budget = await budgetOf(803);
    const { uuid } = (await ask(budget, 803)).body;
    await approve(budget, [uuid]);
    await work(world);
    world.world.now = new Date(START.getTime() + 91 * DAY_MS);
    await attempt(world, 'assignments.expire', {});
    await work(world);
    expect((await row(uuid)).state).toBe('expired');
    expect(await actions(uuid)).toEqual(['requested/requested', 'approved/approved', 'expired/expired']);
    expect(await held(budget.policy)).toBe(0);
    expect(mails()).toEqual([
      ['APPROVED', 'learner-803@test.example'],
      ['AUTOMATIC_EXPIRATION', 'learner-803@test.example'],
    ]);
    expect(await ask(budget, 803)).toMatchObject({ status: 200, body: { uuid } });
  });

  test('requests follow the addresses of their users', async () => {
    const budget = await budgetOf(804);
    const { uuid } = (await ask(budget, 804)).body;
    const { user_id } = await row(uuid);
    await world.db('users').where({ id: user_id }).update({ email: 'retired@retired.invalid' });
    await attempt(world, 'requests.followUsers', {});
    expect((await row(uuid)).user_email).toBe('retired@retired.invalid');
  });
});
