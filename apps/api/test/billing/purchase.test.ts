import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import { DAY_MS, deliverAll, intentOf, newBuyer, openSession, pass, payFor, provision, workAll } from './support.ts';

describe.each(dialects)('a purchase on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());

  test('goes from the form to the paid period, each step once', async () => {
    const buyer = newBuyer();
    const session = await openSession(world, buyer);
    expect(session, JSON.stringify(session.body)).toMatchObject({
      status: 201,
      body: { checkout_session_client_secret: expect.stringMatching(/^cs_test_.*_secret_/) },
    });
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'created', quantity: 12, ssp_product: 'teams-yearly' });

    const subscription = await payFor(world, buyer);
    await deliverAll(world);
    const paid = await intentOf(world, buyer);
    expect(paid).toMatchObject({
      state: 'paid',
      stripe_customer_id: subscription.customer,
      stripe_subscription_id: subscription.id,
    });
    // The trial is free: nobody gets a receipt.
    expect(world.world.mails).toEqual([]);

    const made = await provision(world, paid, new Date(Number(subscription.trial_end) * 1_000));
    await workAll(world);
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'fulfilled', enterprise_customer_uuid: made.customer });
    expect(world.world.mails.map(({ campaign }) => campaign)).toEqual([
      'BRAZE_ENTERPRISE_PROVISION_SIGNUP_CONFIRMATION_CAMPAIGN',
    ]);

    pass(world, 15 * DAY_MS);
    await deliverAll(world);
    expect(world.world.licenses).toEqual([`renewal ${made.renewalId}`, `plan ${made.paidPlan} on`]);
    expect(
      world.world.mails
        .map(({ campaign }) => campaign)
        .slice(1)
        .sort(),
    ).toEqual([
      'BRAZE_ENTERPRISE_PROVISION_PAYMENT_RECEIPT_CAMPAIGN',
      'BRAZE_ENTERPRISE_PROVISION_TRIAL_END_SUBSCRIPTION_STARTED_CAMPAIGN',
    ]);
    const receipt = world.world.mails.find(({ campaign }) => /RECEIPT/.test(campaign));
    expect(receipt?.properties).toMatchObject({
      total_paid_amount: 4752,
      total_paid_amount_formatted: '$4,752',
      price_per_license: 396,
      price_per_license_display: '$396/license',
      license_count: 12,
      payment_method: 'visa - 4242',
    });
    const renewal = await world.db('subscription_renewals').where({ checkout_intent_uuid: paid.uuid }).first();
    expect(renewal).toMatchObject({ plan_state: 'active', processed_at: expect.anything() });
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'fulfilled' });
  });
});
