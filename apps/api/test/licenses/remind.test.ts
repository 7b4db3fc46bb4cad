import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { work } from '../support/work.ts';
import { daysFromNow, NOW } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, free, held, many, reset, statementsOf } from './seats-world.ts';

describe.each(dialects)('reminding learners on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(() => reset(world));
  afterAll(() => world.stop());

  test('R-LIC-48: named learners get a mail, and their licences say when, although onboarding mails are off', async () => {
    const { post, holderOf } = await customerWithPlan(world, [held('assigned', 1), held('assigned', 2)], {
      agreement: { disable_onboarding_notifications: true },
    });
    expect(await post('remind', { user_emails: [emailOf(1).toUpperCase()], greeting: 'Hi' })).toMatchObject({
      status: 204,
    });
    expect(await work(world)).toMatchObject([{ name: 'licenses.remind', result: { sent: 1 } }]);
    expect(world.world.mails).toMatchObject([
      { email: emailOf(1), campaign: 'BRAZE_REMIND_EMAIL_CAMPAIGN', properties: { TEMPLATE_GREETING: 'Hi' } },
    ]);
    expect(await holderOf(1)).toMatchObject([{ last_remind_date: NOW }]);
    expect(await holderOf(2)).toMatchObject([{ last_remind_date: daysFromNow(-30) }]);
    const [trail] = await world.db('audit_changes').where({ note: 'reminded' });
    expect(trail).toMatchObject({ subject_kind: 'license' });
  });

  test('R-LIC-49: one learner without a pending licence: nobody is reminded', async () => {
    const { post } = await customerWithPlan(world, [held('assigned', 1), held('activated', 2)]);
    expect(await post('remind', { user_emails: [1, 2].map(emailOf) })).toMatchObject({
      status: 404,
      body: `Could not find any licenses pending activation that are associated with the email: ${emailOf(2)}`,
    });
    expect(await world.db('outbox')).toEqual([]);
    expect(await post('remind', { filters: [{ name: 'status_in', filter_value: ['activated'] }] })).toMatchObject({
      status: 204,
    });
    expect(await world.db('outbox').where({ kind: 'job' })).toEqual([]);
  });

  test('a failed mail leaves the date; a repeated job sends none twice; a later request is another mail', async () => {
    const { post, holderOf } = await customerWithPlan(world, [held('assigned', 1)]);
    await post('remind-all');
    world.world.mailFault = async () => {
      throw new Error('no answer');
    };
    expect(await work(world)).toMatchObject([{ error: { message: 'no answer' } }]);
    expect(await holderOf(1)).toMatchObject([{ last_remind_date: daysFromNow(-30) }]);
    world.world.mailFault = null;
    world.world.now = new Date(NOW.getTime() + 120_000);
    for (const expected of [{ sent: 1 }, { repeated: 1 }]) {
      await world.db('outbox').update({ sent: null });
      expect(await work(world)).toMatchObject([{ result: expected }]);
    }
    expect(world.world.mails).toHaveLength(1);
    expect(await holderOf(1)).toMatchObject([{ last_remind_date: NOW }]);
    world.world.now = daysFromNow(1);
    await post('remind', { filters: [{ name: 'user_email', filter_value: 'learner-1@' }] });
    await work(world);
    expect(world.world.mails).toHaveLength(2);
  });

  test('all of a plan: a thousand learners are at most 20 statements; nobody waits: 404', async () => {
    const { post } = await customerWithPlan(world, [...free(500), ...many(1_000, (at) => held('assigned', at))]);
    for (const [path, body] of [
      ['remind-all', {}],
      ['remind', { user_emails: many(1_000, emailOf) }],
      ['remind', { filters: [{ name: 'user_email', filter_value: 'learner' }] }],
    ] as const) {
      await world.db('outbox').delete();
      const statements = await statementsOf(world, async () => {
        expect(await post(path, body)).toMatchObject({ status: 204 });
      });
      expect(statements).toBeLessThanOrEqual(20);
      expect(await world.db('outbox').where({ name: 'licenses.remind' })).toHaveLength(20);
    }
    const nobody = await customerWithPlan(world, [...free(1), held('activated', 1)]);
    expect(await nobody.post('remind-all')).toMatchObject({
      status: 404,
      body: 'Could not find any licenses pending activation',
    });
  });
});
