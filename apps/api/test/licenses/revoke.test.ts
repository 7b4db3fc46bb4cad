import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { work } from '../support/work.ts';
import { countersOf, daysFromNow, NOW } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, eventsOf, free, held, many, reset, statementsOf } from './seats-world.ts';

describe.each(dialects)('revoking licences on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
    Object.assign(world.runtime.settings, { customerSuccessAddress: 'success@demo.example' });
  });
  beforeEach(() => reset(world));
  afterAll(() => world.stop());

  const capped = (percentage: number) => ({
    plan: { is_revocation_cap_enabled: true, revoke_max_percentage: percentage },
  });

  test('example 5, R-LIC-30: a revoked licence keeps its holder and is replaced by a free one', async () => {
    const { post, plan, holderOf, agreement } = await customerWithPlan(world, [
      ...free(1),
      ...[1, 2, 3].map((learner) => held('assigned', learner)),
      held('activated', 4),
    ]);
    const reply = await post('bulk-revoke', { user_emails: ['LEARNER-4@demo.example'] });
    const [row] = await holderOf(4);
    expect(reply).toMatchObject({
      status: 200,
      body: {
        successful_revocations: [
          { license_uuid: row.uuid, original_status: 'activated', user_email: 'LEARNER-4@demo.example' },
        ],
        unsuccessful_revocations: [],
      },
    });
    expect(row).toMatchObject({ status: 'revoked', revoked_date: NOW, lms_user_id: 4, user_email: emailOf(4) });
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
    expect(stored).toEqual([2, 3, 0, 1, 0]);
    expect(await eventsOf(world)).toEqual(['revoked']);
    expect(await work(world)).toMatchObject([{ name: 'licenses.endEnrollments', result: { outcome: 'ended' } }]);
    expect(world.world.revokedEnrollments).toEqual([`${agreement.customer}:4`]);
  });

  test('example 7, W-22: mixed, alone, twice: 207, 404, and once', async () => {
    const { post, plan } = await customerWithPlan(world, [
      held('activated', 1),
      held('assigned', 2),
      held('activated', 3),
    ]);
    const failure = {
      error: `No license for email ${emailOf(9)} exists in plan ${plan} with a status in ['activated', 'assigned']. user_email: ${emailOf(9)}`,
      error_response_status: 404,
      user_email: emailOf(9),
    };
    expect(await post('bulk-revoke', { user_emails: [emailOf(1), emailOf(9)] })).toMatchObject({
      status: 207,
      body: { successful_revocations: [{ user_email: emailOf(1) }], unsuccessful_revocations: [failure] },
    });
    const alone = await post('bulk-revoke', { user_emails: [emailOf(9)] });
    expect({ status: alone.status, body: alone.body }).toEqual({
      status: 404,
      body: { unsuccessful_revocations: [failure] },
    });
    expect(await post('bulk-revoke', { user_emails: [emailOf(2), emailOf(2).toUpperCase()] })).toMatchObject({
      status: 200,
      body: { successful_revocations: [{ user_email: emailOf(2) }], unsuccessful_revocations: [] },
    });
    await work(world);
    expect(world.world.revokedEnrollments).toHaveLength(1);
  });

  test('example 6, R-LIC-31, R-LIC-38, W-32: the cap, and one mail when it is reached', async () => {
    const { post, planRow } = await customerWithPlan(
      world,
      [...free(10), ...many(8, (at) => held('assigned', at)), held('activated', 20), held('activated', 21)],
      capped(5),
    );
    expect(await post('bulk-revoke', { user_emails: [emailOf(20), emailOf(21)] })).toMatchObject({
      status: 400,
      body: { unsuccessful_revocations: [{ error: 'Plan does not have enough revocations remaining.' }] },
    });
    expect(await post('bulk-revoke', { user_emails: [emailOf(20)] })).toMatchObject({ status: 200 });
    expect(await planRow()).toMatchObject({ num_revocations_applied: 1 });
    expect(await post('bulk-revoke', { user_emails: [emailOf(1)] })).toMatchObject({ status: 400 });
    await work(world);
    await world.db('outbox').update({ sent: null });
    await work(world);
    expect(world.world.mails).toMatchObject([
      {
        email: 'success@demo.example',
        campaign: 'BRAZE_REVOKE_CAP_EMAIL_CAMPAIGN',
        properties: { NUM_REVOCATIONS_APPLIED: 1, REVOKED_LIMIT_REACHED_DATE: 'June 01, 2026, 12:00PM UTC' },
      },
    ]);
  });

  test('a batch of several revocations that exhausts the cap sends one mail; assigned ones do not spend it', async () => {
    const { post, planRow } = await customerWithPlan(
      world,
      [...many(16, (at) => held('activated', at)), ...many(4, (at) => held('assigned', 50 + at))],
      capped(20),
    );
    await post('bulk-revoke', { user_emails: [50, 51].map(emailOf) });
    expect(await planRow()).toMatchObject({ num_revocations_applied: 0 });
    await post('bulk-revoke', { user_emails: [1, 2, 3, 4].map(emailOf) });
    expect(await planRow()).toMatchObject({ num_revocations_applied: 4 });
    await work(world);
    expect(world.world.mails).toHaveLength(1);
  });

  test('W-13: ten callers at once against a cap revoke exactly what it allows', async () => {
    const { post, rows, planRow, plan } = await customerWithPlan(
      world,
      many(100, (at) => held('activated', at)),
      capped(23),
    );
    const replies = await Promise.all(
      many(10, (caller) => post('bulk-revoke', { user_emails: many(5, (at) => emailOf(caller * 5 + at)) })),
    );
    // 23 revocations are left for batches of 5: four fit.
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(replies.filter(({ status }) => status === 400)).toHaveLength(6);
    const singles = await Promise.all(many(10, (at) => post('bulk-revoke', { user_emails: [emailOf(60 + at)] })));
    expect(singles.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(await planRow()).toMatchObject({ num_revocations_applied: 23 });
    expect(await rows('revoked')).toHaveLength(23);
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });

  test('corrections 6, 7, W-22: filters, none of them on free or revoked licences; of equal names the last', async () => {
    const { post, rows } = await customerWithPlan(world, [
      ...free(2),
      held('assigned', 10),
      held('activated', 11),
      held('assigned', 20),
      held('revoked', 12),
    ]);
    const by = (...filters: readonly unknown[]) => post('bulk-revoke', { filters });
    const none = await by({ name: 'user_email', filter_value: 'nobody' });
    expect({ status: none.status, body: none.body }).toEqual({
      status: 200,
      body: { successful_revocations: [], unsuccessful_revocations: [] },
    });
    const one = await by(
      { name: 'user_email', filter_value: '-20@' },
      { name: 'user_email', filter_value: 'LEARNER-1' },
      { name: 'status_in', filter_value: ['assigned', 'unassigned'] },
    );
    expect(one.body.successful_revocations).toMatchObject([{ user_email: emailOf(10), original_status: 'assigned' }]);
    const all = await by({ name: 'user_email', filter_value: '' });
    expect(all.body).toMatchObject({ unsuccessful_revocations: [] });
    expect(all.body.successful_revocations).toHaveLength(2);
    expect(await rows('unassigned')).toHaveLength(5);
    for (const [body, text] of [
      [{}, 'Either user_emails or filters must be provided.'],
      [
        { user_emails: [emailOf(1)], filters: [{ name: 'user_email', filter_value: 'a' }] },
        'Either user_emails or filters must be provided, but not both.',
      ],
      [
        { filters: [{ name: 'status', filter_value: 'a' }] },
        "Malformed filters, supported filters are ['user_email', 'status_in'].",
      ],
      [{ filters: [{ name: 'user_email', filter_value: ['a'] }] }, 'Malformed filters, user_email must be a string.'],
      [
        { filters: [{ name: 'status_in', filter_value: 'assigned' }] },
        'Malformed filters, status_in must be a list of strings.',
      ],
    ] as const)
      expect(await post('bulk-revoke', body)).toMatchObject({ status: 400, body: { non_field_errors: [text] } });
    for (const filter_value of [null, 5, true])
      expect(await post('bulk-revoke', { filters: [{ name: 'status_in', filter_value }] })).toMatchObject({
        status: 400,
      });
  });

  test('a thousand licences are at most 20 statements', async () => {
    const { post } = await customerWithPlan(world, [...free(500), ...many(1_000, (at) => held('activated', at))]);
    const statements = await statementsOf(world, async () => {
      const reply = await post('bulk-revoke', { user_emails: many(1_000, emailOf) });
      expect(reply.body.successful_revocations).toHaveLength(1_000);
    });
    expect(statements).toBeLessThanOrEqual(20);
  });

  test('R-LIC-39, W-42: all of a plan in a job, page by page; never with a cap, and not what was assigned later', async () => {
    const later = held('assigned', 5_000, { assigned_date: daysFromNow(1) });
    const { post, rows, plan } = await customerWithPlan(world, [
      ...free(1),
      ...many(1_200, (at) => held(at % 2 ? 'assigned' : 'activated', at)),
      later,
    ]);
    expect(await post('revoke-all')).toMatchObject({ status: 204, body: null });
    expect(await work(world, { only: 'licenses.revokeAll' })).toMatchObject([
      { result: { revoked: 1_200, isCapped: false } },
    ]);
    expect(await rows('assigned')).toMatchObject([{ uuid: later.uuid }]);
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
    await world.db('outbox').where({ name: 'licenses.revokeAll' }).update({ sent: null });
    expect(await work(world, { only: 'licenses.revokeAll' })).toMatchObject([{ result: { revoked: 0 } }]);

    const other = await customerWithPlan(world, [held('activated', 1)], capped(100));
    expect(await other.post('revoke-all')).toMatchObject({
      status: 422,
      body: 'Cannot revoke all licenses when revocation cap is enabled for the subscription plan',
    });
  });

  test('a cap that is set before the job runs stops it', async () => {
    const { post, rows, plan } = await customerWithPlan(world, [held('activated', 1)]);
    await post('revoke-all');
    await world.records.ignoring(() =>
      world.db('subscription_plans').where({ uuid: plan }).update({ is_revocation_cap_enabled: true }),
    );
    expect(await work(world)).toMatchObject([{ result: { revoked: 0, isCapped: true } }]);
    expect(await rows('activated')).toHaveLength(1);
  });
});
