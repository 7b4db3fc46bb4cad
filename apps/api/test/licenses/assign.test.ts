import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, operatorToken, startApp } from '../support/harness.ts';
import { work } from '../support/work.ts';
import { countersOf, NOW } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, eventsOf, free, held, many, reset, statementsOf } from './seats-world.ts';

const CONTACT = '003000000000000AAA';

describe.each(dialects)('assigning licences on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(() => reset(world));
  afterAll(() => world.stop());

  test('example 1: who has a licence keeps it; the other gets one, a link and a mail with the key', async () => {
    const { post, rows, plan } = await customerWithPlan(world, [...free(5), held('assigned', 1)]);
    const reply = await post('assign', { user_emails: [emailOf(1), emailOf(2)], greeting: 'Hello', closing: 'Bye' });
    expect(reply).toMatchObject({
      status: 200,
      body: {
        num_successful_assignments: 1,
        num_already_associated: 1,
        license_assignments: [{ user_email: emailOf(2) }],
      },
    });
    const [row] = await rows('assigned').where({ user_email: emailOf(2) });
    expect(row).toMatchObject({ assigned_date: NOW, last_remind_date: NOW, lms_user_id: null });
    expect(await eventsOf(world)).toEqual(['assigned']);
    expect(await work(world)).toMatchObject([{ name: 'licenses.invite', result: { sent: 1, linked: 1 } }]);
    expect(world.world.invited).toEqual([emailOf(2)]);
    expect(world.world.mails).toMatchObject([
      {
        email: emailOf(2),
        campaign: 'BRAZE_ASSIGNMENT_EMAIL_CAMPAIGN',
        attributes: { enterprise_default_language: 'es' },
        properties: {
          TEMPLATE_GREETING: 'Hello',
          TEMPLATE_CLOSING: 'Bye',
          license_activation_key: row.activation_key,
          enterprise_customer_slug: 'example',
          enterprise_sender_alias: 'edX Support Team',
        },
      },
    ]);
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });

  test('example 2: an address has one licence, whatever its case; blanks around it do not count', async () => {
    const { post, rows } = await customerWithPlan(world, [
      ...free(3),
      held('assigned', 7, { user_email: 'Seven@Demo.example' }),
    ]);
    const first = await post('assign', { user_emails: ['test@example.com', 'TEST@EXAMPLE.COM', ' test@example.com '] });
    expect(first.body).toMatchObject({ num_successful_assignments: 1, num_already_associated: 0 });
    const again = await post('assign', { user_emails: ['Test@Example.Com', 'seven@demo.EXAMPLE'] });
    expect(again.body).toEqual({ num_successful_assignments: 0, num_already_associated: 2, license_assignments: [] });
    expect(await rows('assigned').where({ user_email: 'test@example.com' })).toHaveLength(1);
  });

  test('example 3: too few seats: nobody gets one, the text has both numbers, nothing follows', async () => {
    const { post, rows } = await customerWithPlan(world, [held('assigned', 1), held('revoked', 2)]);
    expect(await post('assign', { user_emails: [emailOf(3)] })).toMatchObject({
      status: 400,
      body: 'There are not enough licenses that can be assigned to complete your request.You attempted to assign 1 licenses, but there are only 0 potentially available.',
    });
    expect(await rows('assigned')).toHaveLength(1);
    expect(await world.db('outbox')).toEqual([]);
  });

  test('example 4: contacts in Salesforce go with the addresses; a revoked licence does not stand in the way', async () => {
    const { post, rows } = await customerWithPlan(world, [...free(4), held('revoked', 1)]);
    const user_emails = [1, 2, 3, 4].map(emailOf);
    const reply = await post('assign', { user_emails, user_sfids: [CONTACT, ` ${CONTACT} `, '', null] });
    expect(reply.body).toMatchObject({ num_successful_assignments: 4 });
    const contacts = await rows('assigned').orderBy('user_email').select('salesforce_contact_id');
    expect(contacts.map((row) => row.salesforce_contact_id)).toEqual([CONTACT, CONTACT, null, null]);
    for (const [user_sfids, body] of [
      [[], { user_sfids: ['No Salesforce Ids provided.'] }],
      [[CONTACT], { non_field_errors: ['Number of Salesforce IDs did not match number of provided user emails.'] }],
      [[`${CONTACT}B`, null], { user_sfids: { 0: ['Ensure this field has no more than 18 characters.'] } }],
      [['short', null], { user_sfids: { 0: ['Ensure this field has at least 18 characters.'] } }],
    ] as const)
      expect(await post('assign', { user_emails: [5, 6].map(emailOf), user_sfids })).toMatchObject({
        status: 400,
        body,
      });
  });

  test('corrections 18, 31, W-20: wrong types are refused by field and by position', async () => {
    const { post } = await customerWithPlan(world, free(2));
    for (const [body, refusal] of [
      [{}, { user_emails: ['This field is required.'] }],
      [{ user_emails: [] }, { user_emails: ['This list may not be empty.'] }],
      [{ user_emails: 'a@b.cd' }, { user_emails: ['Expected a list of items but got type "str".'] }],
      [
        { user_emails: ['no', emailOf(1), null] },
        { user_emails: { 0: ['Enter a valid email address.'], 2: ['This field may not be null.'] } },
      ],
      [{ user_emails: [emailOf(1)], notify_users: null }, { notify_users: ['This field may not be null.'] }],
      [{ user_emails: [emailOf(1)], notify_users: 'false' }, { notify_users: ['Must be a valid boolean.'] }],
    ] as const)
      expect(await post('assign', body)).toMatchObject({ status: 400, body: refusal });
  });

  test('R-LIC-45: without notification, by request or by agreement, learners are linked and get no mail', async () => {
    const quiet = await customerWithPlan(world, free(1), { agreement: { disable_onboarding_notifications: true } });
    await quiet.post('assign', { user_emails: [emailOf(1)] });
    const asked = await customerWithPlan(world, free(1));
    await asked.post('assign', { user_emails: [emailOf(2)], notify_users: false });
    await work(world);
    expect(world.world.invited).toEqual([emailOf(1), emailOf(2)]);
    expect(world.world.mails).toEqual([]);
  });

  test('W-32: a repeated job sends no mail twice; W-27: learners who cannot be linked get their mail all the same', async () => {
    const { post } = await customerWithPlan(world, free(2));
    await post('assign', { user_emails: [1, 2].map(emailOf) });
    world.world.invitationFault = async () => {
      throw new Error('no answer');
    };
    expect(await work(world)).toMatchObject([{ error: { message: 'no answer' } }]);
    expect(world.world.mails).toEqual([]);
    await world.db('outbox').update({ sent: null });
    expect(await work(world, { isLast: true })).toMatchObject([{ error: { message: 'no answer' } }]);
    world.world.invitationFault = null;
    await world.db('outbox').update({ sent: null });
    expect(await work(world)).toMatchObject([{ error: null, result: { sent: 0, repeated: 2, linked: 2 } }]);
    expect(world.world.mails.map(({ email }) => email).toSorted()).toEqual([1, 2].map(emailOf));
  });

  test('a thousand learners are one transaction of at most 20 statements, in a plan of any size', async () => {
    const { post, plan } = await customerWithPlan(world, free(1_500));
    const user_emails = many(1_000, (at) => emailOf(at));
    const statements = await statementsOf(world, async () => {
      expect(await post('assign', { user_emails })).toMatchObject({ body: { num_successful_assignments: 1_000 } });
    });
    expect(statements).toBeLessThanOrEqual(20);
    const again = await statementsOf(world, async () => {
      expect(await post('assign', { user_emails })).toMatchObject({ body: { num_already_associated: 1_000 } });
    });
    expect(again).toBeLessThanOrEqual(20);
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });

  test('who may not is refused; a plan that does not exist is not found (W-21)', async () => {
    const { post, learner, token } = await customerWithPlan(world, free(1));
    const body = { user_emails: [emailOf(1)] };
    expect(await post('assign', body, learner(1))).toMatchObject({
      status: 403,
      body: { detail: 'Missing: subscriptions.has_admin_access' },
    });
    const other = await customerWithPlan(world, free(1));
    expect(await post('assign', body, other.admin)).toMatchObject({ status: 403 });
    expect(await post('assign', body, token('enterprise_provisioning_admin', 5))).toMatchObject({ status: 403 });
    for (const path of ['assign', 'remind-all', 'bulk-revoke', 'remind', 'revoke-all'])
      expect(
        await world.call(
          'POST',
          `/api/v1/subscriptions/7b0a1f5e-1111-4111-8111-111111111111/licenses/${path}/`,
          operatorToken(),
          { user_emails: [emailOf(1)] },
        ),
      ).toMatchObject({ status: 404 });
  });

  test('8 assigns of overlapping addresses at once: each address has one licence', async () => {
    const { post, rows, plan } = await customerWithPlan(world, free(200));
    const of = (at: number) => many(60, (each) => emailOf((at * 10 + each) % 120));
    const replies = await Promise.all(many(8, (at) => post('assign', { user_emails: of(at) })));
    expect(replies.map(({ status }) => status)).toEqual(many(8, () => 200));
    const assigned = await rows('assigned');
    expect(new Set(assigned.map((row) => row.user_email)).size).toBe(assigned.length);
    expect(assigned).toHaveLength(120);
    const told = replies.flatMap(({ body }) =>
      body.license_assignments.map((each: { license: string }) => each.license),
    );
    expect(new Set(told).size).toBe(told.length);
    expect(told).toHaveLength(120);
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });
});
