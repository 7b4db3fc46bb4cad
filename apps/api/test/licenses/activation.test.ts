import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp, tokenFor } from '../support/harness.ts';
import { work } from '../support/work.ts';
import { countersOf, daysFromNow, licenseRow, NOW, newPlan } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, eventsOf, free, held, reset } from './seats-world.ts';

describe.each(dialects)('activating a licence on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(() => reset(world));
  afterAll(() => world.stop());

  const activate = (key: unknown, token: string | null) =>
    world.call(
      'POST',
      `/api/v1/license-activation/${key === undefined ? '' : `?activation_key=${String(key)}`}`,
      token,
    );

  test('R-LIC-52: an assigned licence becomes the caller’s; again changes nothing; one mail in the customer’s language', async () => {
    const license = held('assigned', 1);
    const { learner, holderOf, plan, agreement } = await customerWithPlan(world, [...free(1), license]);
    const reply = await activate(license.activation_key, learner(1));
    expect(reply).toMatchObject({
      status: 200,
      body: {
        uuid: license.uuid,
        status: 'activated',
        activation_key: license.activation_key,
        activation_date: '2026-06-01T12:00:00Z',
        subscription_plan: { uuid: plan },
        customer_agreement: { uuid: agreement.uuid },
      },
    });
    expect(await holderOf(1)).toMatchObject([{ status: 'activated', lms_user_id: 1, activation_date: NOW }]);
    world.world.now = daysFromNow(1);
    expect((await activate(license.activation_key, learner(1))).body).toMatchObject({
      activation_date: '2026-06-01T12:00:00Z',
    });
    expect(await eventsOf(world)).toEqual(['activated']);
    await work(world);
    await world.db('outbox').update({ sent: null });
    await work(world);
    expect(world.world.mails).toMatchObject([
      {
        email: emailOf(1),
        lmsUserId: 1,
        campaign: 'BRAZE_ACTIVATION_EMAIL_CAMPAIGN',
        attributes: { enterprise_default_language: 'es' },
      },
    ]);
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });

  test('R-LIC-03: the address is compared without regard to case', async () => {
    const license = held('assigned', 1);
    const { token } = await customerWithPlan(world, [license]);
    expect(
      await activate(license.activation_key, token('enterprise_learner', 1, 'LEARNER-1@Demo.example')),
    ).toMatchObject({
      status: 200,
    });
  });

  test('corrections 15, W-21: the order of refusals', async () => {
    const license = held('assigned', 1);
    const { learner, admin, agreement } = await customerWithPlan(world, [license]);
    const other = await customerWithPlan(world, []);
    expect(await activate(license.activation_key, null)).toMatchObject({ status: 401 });
    expect(await activate(undefined, learner(1))).toMatchObject({
      status: 400,
      body: { detail: 'activation_key is a required parameter' },
    });
    expect(await activate('', learner(1))).toMatchObject({
      status: 400,
      body: { detail: 'activation_key is a required parameter' },
    });
    expect(await activate('nonsense', learner(1))).toMatchObject({
      status: 400,
      body: { detail: 'nonsense is not a valid activation key.' },
    });
    const unknown = { status: 404, body: { detail: 'No License matches the given query.' } };
    expect(await activate(newUuid(), learner(1))).toMatchObject(unknown);
    // The key of somebody else opens nothing, for administrators neither.
    expect(await activate(license.activation_key, learner(2))).toMatchObject(unknown);
    expect(await activate(license.activation_key, admin)).toMatchObject(unknown);
    // The holder has left the customer.
    const elsewhere = other.learner(1);
    expect(await activate(license.activation_key, elsewhere)).toMatchObject({
      status: 403,
      body: { detail: 'Missing: subscriptions.has_learner_or_admin_access' },
    });
    expect(
      await activate(license.activation_key, tokenFor('enterprise_learner', agreement.customer, 1, { email: '' })),
    ).toMatchObject({
      status: 400,
      body: { detail: '`email` is required and could not be found in your jwt' },
    });
  });

  test('R-LIC-50: not a revoked one (422), nor one of a plan that is inactive, over or not begun (404)', async () => {
    const revoked = held('revoked', 1);
    const { learner } = await customerWithPlan(world, [revoked]);
    expect(await activate(revoked.activation_key, learner(1))).toMatchObject({
      status: 422,
      body: `Action: activation failed for license: ${revoked.uuid} because: Cannot activate a revoked license.`,
    });
    for (const plan of [{ is_active: false }, { expiration_date: daysFromNow(-1) }, { start_date: daysFromNow(1) }]) {
      const license = held('assigned', 3);
      const inSuchPlan = await customerWithPlan(world, [license], { plan });
      expect(await activate(license.activation_key, inSuchPlan.learner(3))).toMatchObject({ status: 404 });
    }
  });

  test('example 10: of two licences with one key only that of the current plan is activated', async () => {
    const key = newUuid();
    const old = held('assigned', 1, { activation_key: key });
    const { learner, agreement } = await customerWithPlan(world, [old], {
      plan: { start_date: daysFromNow(-400), expiration_date: daysFromNow(-1) },
    });
    const renewed = licenseRow('assigned', { user_email: emailOf(1), activation_key: key });
    await newPlan(world, agreement, [renewed], { start_date: daysFromNow(-1) });
    expect((await activate(key, learner(1))).body).toMatchObject({ uuid: renewed.uuid, status: 'activated' });
    expect(await world.db('licenses').where({ uuid: old.uuid }).first()).toMatchObject({ status: 'assigned' });
  });

  test('example 8: two live licences of one address in a plan cannot be stored, in any spelling', async () => {
    const { plan, agreement } = await customerWithPlan(world, [held('assigned', 1)]);
    const second = {
      ...licenseRow('activated', { user_email: emailOf(1).toUpperCase() }),
      subscription_plan_uuid: plan,
      enterprise_customer_uuid: agreement.customer,
      created: NOW,
      modified: NOW,
    };
    await expect(world.db('licenses').insert(second)).rejects.toThrow(/duplicate/i);
    await world.db('licenses').insert({ ...second, status: 'revoked' });
  });

  test('onboarding mails can be off; twenty activations at once are one', async () => {
    const license = held('assigned', 1);
    const { learner, holderOf } = await customerWithPlan(world, [license], {
      agreement: { disable_onboarding_notifications: true },
    });
    const replies = await Promise.all(Array.from({ length: 20 }, () => activate(license.activation_key, learner(1))));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await holderOf(1)).toHaveLength(1);
    expect(await eventsOf(world)).toEqual(['activated']);
    expect(await world.db('outbox').where({ kind: 'job' })).toEqual([]);
  });
});
