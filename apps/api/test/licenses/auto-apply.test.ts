import { newUuid } from '@enterprise-access/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { work } from '../support/work.ts';
import { countersOf, daysFromNow } from './lifecycle-plans.ts';
import { customerWithPlan, emailOf, eventsOf, free, held, many, reset } from './seats-world.ts';

const APPLYING = { plan: { should_auto_apply_licenses: true } };
const ASK = 'Please contact your administrator for further assistance.';

describe.each(dialects)('licences that are applied automatically, on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  beforeEach(() => reset(world));
  afterAll(() => world.stop());

  const apply = (agreement: string, token: string, query = '') =>
    world.call('POST', `/api/v1/customer-agreement/${agreement}/auto-apply/${query}`, token);

  test('R-LIC-54, R-LIC-56: a free licence becomes the caller’s, once, with a mail', async () => {
    const { agreement, learner, holderOf, plan } = await customerWithPlan(world, free(2), APPLYING);
    const first = await apply(agreement.uuid, learner(1));
    expect(first).toMatchObject({ status: 200, body: { status: 'activated', user_email: emailOf(1) } });
    expect((await apply(agreement.uuid, learner(1))).body).toEqual(first.body);
    expect(await holderOf(1)).toMatchObject([{ auto_applied: expect.anything(), lms_user_id: 1, status: 'activated' }]);
    expect(await eventsOf(world)).toEqual(['activated']);
    await work(world);
    expect(world.world.mails.filter(({ campaign }) => campaign.includes('AUTOAPPLY'))).toMatchObject([
      { email: emailOf(1), campaign: 'BRAZE_AUTOAPPLY_WITH_LEARNER_PORTAL_CAMPAIGN' },
    ]);
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });

  test('R-LIC-56, W-32: the campaign for customers without a learner portal; none if onboarding mails are off', async () => {
    const { agreement, learner } = await customerWithPlan(world, free(1), APPLYING);
    const customer = world.world.customers.get(agreement.customer);
    if (customer) world.world.customers.set(agreement.customer, { ...customer, isWithoutLearnerPortal: true });
    await apply(agreement.uuid, learner(1));
    const quiet = await customerWithPlan(world, free(1), {
      ...APPLYING,
      agreement: { disable_onboarding_notifications: true },
    });
    await apply(quiet.agreement.uuid, quiet.learner(2));
    await work(world);
    expect(world.world.mails.filter(({ campaign }) => campaign.includes('AUTOAPPLY'))).toMatchObject([
      { email: emailOf(1), campaign: 'BRAZE_AUTOAPPLY_NO_LEARNER_PORTAL_CAMPAIGN' },
    ]);
  });

  test('refusals in their order, with their texts; who has an assigned licence keeps it assigned', async () => {
    const none = await customerWithPlan(world, free(1));
    const noAddress = tokenFor('enterprise_learner', none.agreement.customer, 31, { email: '' });
    for (const token of [none.learner(1), noAddress])
      expect(await apply(none.agreement.uuid, token)).toMatchObject({
        status: 422,
        body: `License was unable to be automatically applied. ${ASK}`,
      });
    for (const plan of [{ is_active: false }, { expiration_date: daysFromNow(-1) }]) {
      const not = await customerWithPlan(world, free(1), { plan: { ...APPLYING.plan, ...plan } });
      expect(await apply(not.agreement.uuid, not.learner(1))).toMatchObject({ status: 422 });
    }
    const { agreement, learner, rows } = await customerWithPlan(
      world,
      [held('revoked', 1), held('assigned', 2), held('revoked', 3, { user_email: emailOf(3).toUpperCase() })],
      APPLYING,
    );
    for (const revoked of [1, 3])
      expect(await apply(agreement.uuid, learner(revoked))).toMatchObject({
        status: 422,
        body: `You are not eligible for an auto-applied license. ${ASK}`,
      });
    expect(await apply(agreement.uuid, learner(2))).toMatchObject({ status: 200, body: { status: 'assigned' } });
    expect(await apply(agreement.uuid, learner(4))).toMatchObject({
      status: 422,
      body: `There are no licenses remaining in your organization. ${ASK}`,
    });
    expect(await eventsOf(world)).toEqual(['not-assigned']);
    expect(await rows('activated')).toEqual([]);
    const withoutAddress = await customerWithPlan(world, free(1), APPLYING);
    expect(
      await apply(
        withoutAddress.agreement.uuid,
        tokenFor('enterprise_learner', withoutAddress.agreement.customer, 32, { email: '' }),
      ),
    ).toMatchObject({ status: 400, body: { detail: '`email` is required and could not be found in your jwt' } });
  });

  test('W-01: a member of another customer takes no seat, whatever the query names', async () => {
    const victim = await customerWithPlan(world, free(1), APPLYING);
    const own = await customerWithPlan(world, free(1), APPLYING);
    const query = `?enterprise_customer_uuid=${own.agreement.customer}`;
    expect(await apply(victim.agreement.uuid, own.learner(1), query)).toMatchObject({ status: 403 });
    expect(await victim.rows('activated')).toEqual([]);
    expect(await apply(newUuid(), own.learner(1), query)).toMatchObject({ status: 403 });
    expect(await apply(newUuid(), operatorToken())).toMatchObject({ status: 404 });
  });

  test('corrections 13, 14: one learner twenty times at once has one licence; each answer names it', async () => {
    const { agreement, learner, holderOf } = await customerWithPlan(world, free(5), APPLYING);
    const replies = await Promise.all(many(20, () => apply(agreement.uuid, learner(1))));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    const [row, ...others] = await holderOf(1);
    expect(others).toEqual([]);
    expect(new Set(replies.map(({ body }) => body.uuid))).toEqual(new Set([row.uuid]));
  });

  test('W-12: 50 learners at once for 10 seats: 10 have one and were told so, 40 were refused', async () => {
    const { agreement, learner, rows, plan } = await customerWithPlan(world, free(10), APPLYING);
    const replies = await Promise.all(many(50, (at) => apply(agreement.uuid, learner(100 + at))));
    const told = replies.filter(({ status }) => status === 200).map(({ body }) => body.user_email);
    expect(told).toHaveLength(10);
    expect(replies.filter(({ status }) => status === 422)).toHaveLength(40);
    const seated = (await rows('activated')).map((row) => row.user_email);
    expect(seated.toSorted()).toEqual(told.toSorted());
    const { stored, counted } = await countersOf(world, plan);
    expect(stored).toEqual(counted);
  });
});
