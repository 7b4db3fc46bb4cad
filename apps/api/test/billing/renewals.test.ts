import { transaction } from '@enterprise-access/db';
import type { StripeEvent } from '@enterprise-access/sandbox';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recordRenewal } from '../../../../packages/domain/src/billing/index.ts';
import { shortDate } from '../../../../packages/domain/src/billing/mail-job.ts';
import type { World } from '../support/examples.ts';
import { dialects, startApp } from '../support/harness.ts';
import {
  customerOf,
  DAY_MS,
  deliverAll,
  intentOf,
  newBuyer,
  newEvents,
  openSession,
  pass,
  payFor,
  purchase,
  run,
  send,
  workAll,
} from './support.ts';

describe.each(dialects)('renewals and subscriptions on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());
  beforeEach(() => {
    world.world.mails.length = 0;
    world.world.licenses.length = 0;
  });
  afterEach(() => {
    world.world.subscriptionFault = null;
  });

  const life = () => world.world.stripe.state.stripeLife;
  const mails = () =>
    world.world.mails.map(({ campaign }) => campaign.replace(/^BRAZE_(ENTERPRISE_PROVISION_)?|_CAMPAIGN$/g, '')).sort();
  const renewalsOf = (intentUuid: string) =>
    world.db('subscription_renewals').where({ checkout_intent_uuid: intentUuid }).orderBy('effective_date');
  const invoicesOf = (intentUuid: string) =>
    world
      .db('stripe_invoices')
      .where({ checkout_intent_uuid: intentUuid })
      .orderBy('paid_at')
      .select('kind', 'amount_paid_cents');

  test('R-BILL-70: a change of quantity within a period has its receipt, and renews nothing', async () => {
    const bought = await customerOf(world);
    pass(world, 15 * DAY_MS);
    await deliverAll(world);
    world.world.mails.length = 0;
    world.world.licenses.length = 0;
    pass(world, 30 * DAY_MS);
    life().setQuantity(bought.subscription.id, 20);
    await deliverAll(world);
    expect(mails()).toEqual(['PAYMENT_RECEIPT']);
    expect(world.world.mails[0]?.properties).not.toHaveProperty('price_per_license');
    expect(world.world.licenses).toEqual([]);
    expect((await invoicesOf(bought.intent.uuid)).map(({ kind }) => kind)).toEqual(['trial', 'first_period', 'change']);
    expect(await intentOf(world, bought.buyer)).toMatchObject({ state: 'fulfilled' });
  });

  test('R-BILL-71: the second year finds its own renewal; without one it is reported and not processed', async () => {
    const [renewed, forgotten] = [await customerOf(world), await customerOf(world)];
    pass(world, 15 * DAY_MS);
    await deliverAll(world);
    const firstEnd = new Date(Number(renewed.subscription.trial_end) * 1_000);
    const effectiveDate = new Date(firstEnd);
    effectiveDate.setUTCFullYear(firstEnd.getUTCFullYear() + 1);
    await transaction(world.db, (trx) =>
      recordRenewal(trx, world.runtime, {
        intentUuid: renewed.intent.uuid,
        subscriptionPlanRenewalId: 4_242,
        priorSubscriptionPlanUuid: renewed.paidPlan,
        renewedSubscriptionPlanUuid: crypto.randomUUID(),
        effectiveDate,
      }),
    );
    world.world.mails.length = 0;
    world.world.licenses.length = 0;
    pass(world, 366 * DAY_MS);
    await deliverAll(world);
    expect(world.world.licenses.filter((call) => call.startsWith('renewal'))).toEqual(['renewal 4242']);
    for (const { intent } of [renewed, forgotten]) {
      const own = world.world.mails.filter(({ email }) => email === `admin@${intent.enterprise_slug}.example`);
      expect(own.filter(({ campaign }) => /RECEIPT/.test(campaign))).toHaveLength(1);
      expect((await invoicesOf(intent.uuid)).map(({ kind }) => kind)).toEqual([
        'trial',
        'first_period',
        'later_period',
      ]);
    }
    const drift = await run(world, 'billing.reconcile', { sinceDays: 500 }, true);
    expect(drift.result).toMatchObject({ openRenewals: 0 });
    expect(Number(drift.result?.missingRenewals)).toBeGreaterThan(0);
  });

  test('a purchase without a trial is paid at once, with its receipt', async () => {
    Object.assign(world.runtime.settings, { billingTrialDays: 0 });
    try {
      const { intent } = await purchase(world);
      expect(intent).toMatchObject({ state: 'paid' });
      expect(mails()).toEqual(['PAYMENT_RECEIPT']);
      expect(await invoicesOf(intent.uuid)).toEqual([{ kind: 'purchase', amount_paid_cents: 475_200 }]);
    } finally {
      Object.assign(world.runtime.settings, { billingTrialDays: 14 });
    }
  });

  test('R-BILL-54: a payment that comes before its renewal finds it when it is recorded', async () => {
    const { intent, subscription } = await purchase(world);
    pass(world, 15 * DAY_MS);
    await deliverAll(world);
    expect(world.world.licenses).toEqual([]);
    const made = {
      intentUuid: intent.uuid,
      subscriptionPlanRenewalId: 99,
      priorSubscriptionPlanUuid: crypto.randomUUID(),
      renewedSubscriptionPlanUuid: crypto.randomUUID(),
      effectiveDate: new Date(Number(subscription.trial_end) * 1_000),
    };
    for (let times = 0; times < 2; times += 1)
      await transaction(world.db, (trx) => recordRenewal(trx, world.runtime, made));
    await workAll(world);
    expect(world.world.licenses).toEqual(['renewal 99', `plan ${made.renewedSubscriptionPlanUuid} on`]);
    expect(await renewalsOf(intent.uuid)).toHaveLength(1);
  });

  test('ex 11: a renewal that the licence service fails is processed by a later attempt, once', async () => {
    const { intent, renewalId } = await customerOf(world);
    pass(world, 15 * DAY_MS);
    world.world.subscriptionFault = () => Promise.reject(new Error('away'));
    await expect(deliverAll(world)).rejects.toThrow();
    expect((await renewalsOf(intent.uuid))[0]).toMatchObject({ processed_at: null });
    world.world.subscriptionFault = null;
    await workAll(world);
    expect(await run(world, 'billing.reconcile', { sinceDays: 30 })).toMatchObject({ result: { openRenewals: 1 } });
    await workAll(world);
    await run(world, 'billing.reconcile', { sinceDays: 30 });
    await workAll(world);
    expect(world.world.licenses.filter((call) => call === `renewal ${renewalId}`)).toHaveLength(1);
    expect((await renewalsOf(intent.uuid))[0]).toMatchObject({ processed_at: expect.anything() });
  });

  test('ex 12: past due deactivates every plan and says so once; a payment brings them back', async () => {
    const bought = await customerOf(world);
    const second = crypto.randomUUID();
    await transaction(world.db, (trx) =>
      recordRenewal(trx, world.runtime, {
        intentUuid: bought.intent.uuid,
        subscriptionPlanRenewalId: 2,
        priorSubscriptionPlanUuid: bought.paidPlan,
        renewedSubscriptionPlanUuid: second,
        effectiveDate: new Date(world.world.now.getTime() + 400 * DAY_MS),
      }),
    );
    life().setCard(bought.subscription.id, { fails: true });
    await deliverAll(world);
    world.world.mails.length = 0;
    pass(world, 15 * DAY_MS);
    const events = newEvents(world);
    await deliverAll(world, [...events, ...events]);
    expect(mails()).toEqual(['BILLING_ERROR']);
    expect(world.world.licenses.toSorted()).toEqual([`plan ${bought.paidPlan} off`, `plan ${second} off`].toSorted());
    expect(world.world.mails[0]?.properties).toMatchObject({
      enterprise_slug: bought.intent.enterprise_slug,
      restart_subscription_url: `http://admin.test/${bought.intent.enterprise_slug}`,
    });

    world.world.licenses.length = 0;
    life().setCard(bought.subscription.id, {});
    await deliverAll(world);
    expect(world.world.licenses.toSorted()).toEqual(
      [`plan ${bought.paidPlan} on`, `plan ${second} on`, `renewal ${bought.renewalId}`].toSorted(),
    );
  });

  test('a trial that is cancelled and reinstated, and the mails of both', async () => {
    const { subscription, intent } = await customerOf(world);
    world.world.mails.length = 0;
    life().setCancellation(subscription.id, true);
    await deliverAll(world);
    const [renewal] = await renewalsOf(intent.uuid);
    expect(renewal.subscription_cancel_at).toEqual(new Date(Number(subscription.trial_end) * 1_000));
    expect(mails()).toEqual(['TRIAL_CANCELLATION']);
    const ends = shortDate(new Date(Number(subscription.trial_end) * 1_000));
    expect(world.world.mails[0]?.properties).toEqual({
      product_slug: 'teams-yearly',
      product_key: 'teams',
      trial_end_date: ends,
      period_end_date: ends,
      restart_subscription_url: `http://admin.test/${intent.enterprise_slug}`,
      product_type: 'teams',
    });
    pass(world, DAY_MS);
    life().setCancellation(subscription.id, false);
    await deliverAll(world);
    expect(mails()).toEqual(['SSP_SUBSCRIPTION_REINSTATED', 'TRIAL_CANCELLATION']);
    expect((await renewalsOf(intent.uuid))[0].subscription_cancel_at).toBeNull();
  });

  test('R-BILL-46: an older cancellation that comes after its withdrawal changes nothing', async () => {
    const { subscription, intent } = await customerOf(world);
    world.world.mails.length = 0;
    life().setCancellation(subscription.id, true);
    pass(world, DAY_MS);
    life().setCancellation(subscription.id, false);
    const events = newEvents(world);
    const done = await deliverAll(world, events.toReversed());
    expect(done.map(({ result }) => result?.outcome)).toContain('stale');
    expect(mails()).toEqual([]);
    expect((await renewalsOf(intent.uuid))[0].subscription_cancel_at).toBeNull();
    expect(
      await world.db('stripe_subscriptions').where({ stripe_subscription_id: subscription.id }).first(),
    ).toMatchObject({
      cancel_at: null,
      status: 'trialing',
    });
  });

  test('R-BILL-46: of two states of one second the one that Stripe has counts, in either order', async () => {
    for (const isReversed of [false, true]) {
      const { subscription } = await customerOf(world);
      life().setCancellation(subscription.id, true);
      life().setCancellation(subscription.id, false);
      const events = newEvents(world);
      await deliverAll(world, isReversed ? events.toReversed() : events);
      expect(
        await world.db('stripe_subscriptions').where({ stripe_subscription_id: subscription.id }).first(),
      ).toMatchObject({
        cancel_at: null,
      });
    }
  });

  test('a subscription that ends without an earlier event: plans off, one event, one mail, no failure', async () => {
    const buyer = newBuyer();
    await openSession(world, buyer);
    const subscription = await payFor(world, buyer);
    const intent = await intentOf(world, buyer);
    await transaction(world.db, (trx) =>
      recordRenewal(trx, world.runtime, {
        intentUuid: intent.uuid,
        subscriptionPlanRenewalId: 5,
        priorSubscriptionPlanUuid: null,
        renewedSubscriptionPlanUuid: '12121212-1212-4212-8212-121212121212',
        effectiveDate: null,
      }),
    );
    pass(world, 20 * DAY_MS);
    life().catchUp();
    life().cancelNow(subscription.id);
    const deleted = newEvents(world).find(({ type }) => /deleted/.test(type)) ?? expect.unreachable();
    for (let times = 0; times < 3; times += 1) await send(world, deleted);
    await workAll(world);
    expect(world.world.licenses).toEqual(['plan 12121212-1212-4212-8212-121212121212 off']);
    expect(mails()).toEqual(['SSP_CANCELATION_FINALIZATION']);
    expect(await renewalsOf(intent.uuid)).toMatchObject([{ is_canceled: true, plan_state: 'inactive' }]);
    const ended = await world
      .db('outbox')
      .where({ message_key: intent.uuid })
      .where('name', 'like', '%subscription.canceled%');
    expect(ended).toHaveLength(1);
  });

  test('the reminder of the end of a trial, three days before it, with what will be due', async () => {
    const { subscription, intent } = await customerOf(world);
    world.world.mails.length = 0;
    pass(world, 11 * DAY_MS + 1_000);
    await deliverAll(world);
    expect(mails()).toEqual(['TRIAL_ENDING_SOON']);
    expect(world.world.mails[0]?.properties).toMatchObject({
      total_paid_amount: '$4,752.00 USD',
      payment_method: 'Visa ending in 4242',
      number_of_licenses: 12,
      renewal_datetime: new Date(Number(subscription.trial_end) * 1_000).toISOString().replace('.000', ''),
      subscription_management_url: `http://admin.test/${intent.enterprise_slug}/admin/subscriptions`,
    });
  });

  test('the amount of the next invoice is kept with the event that began the subscription', async () => {
    const { intent } = await purchase(world);
    const summary = await world
      .db('stripe_event_summaries')
      .where({ checkout_intent_uuid: intent.uuid, event_type: 'customer.subscription.created' })
      .first();
    expect(summary).toMatchObject({
      upcoming_invoice_amount_due: 475_200,
      currency: 'usd',
      subscription_status: 'trialing',
    });
  });

  test('events of a whole life in any order, several times, end in the same state', async () => {
    const story = async (shuffle: (events: StripeEvent[]) => StripeEvent[]) => {
      const bought = await customerOf(world);
      pass(world, 15 * DAY_MS);
      life().catchUp();
      life().setQuantity(bought.subscription.id, 15);
      pass(world, DAY_MS);
      life().setCancellation(bought.subscription.id, true);
      pass(world, DAY_MS);
      life().setCancellation(bought.subscription.id, false);
      pass(world, DAY_MS);
      life().setCard(bought.subscription.id, { fails: true });
      pass(world, 370 * DAY_MS);
      await deliverAll(world, shuffle(newEvents(world)));
      const [subscription] = await world
        .db('stripe_subscriptions')
        .where({ stripe_subscription_id: bought.subscription.id })
        .select('status', 'cancel_at', 'quantity');
      const renewals = (await renewalsOf(bought.intent.uuid)).map(({ plan_state, is_canceled, processed_at }) => ({
        plan_state,
        is_canceled,
        isProcessed: processed_at !== null,
      }));
      const receipts = world.world.mails.filter(
        ({ campaign, email }) => /RECEIPT/.test(campaign) && email === `admin@${bought.intent.enterprise_slug}.example`,
      );
      const { state } = await intentOf(world, bought.buyer);
      return {
        state,
        subscription,
        renewals,
        receipts: receipts.length,
        invoices: await invoicesOf(bought.intent.uuid),
      };
    };
    const ordered = await story((events) => events);
    expect(ordered).toMatchObject({
      state: 'fulfilled',
      subscription: { status: 'past_due', cancel_at: null, quantity: 15 },
      renewals: [{ plan_state: 'inactive', isProcessed: true }],
      receipts: 2,
    });
    expect(await story((events) => events.toReversed())).toEqual(ordered);
    expect(
      await story((events) => {
        const all = [...events, ...events, ...events];
        return all.toSorted((a, b) => ((`${a.id}x`.charCodeAt(11) * 7) % 5) - ((`${b.id}x`.charCodeAt(11) * 7) % 5));
      }),
    ).toEqual(ordered);
  });

  test('reconcile finds what no event told, and repairs it', async () => {
    const buyer = newBuyer();
    await openSession(world, buyer);
    const subscription = await payFor(world, buyer);
    // Nothing is delivered.
    newEvents(world);
    const dry = await run(world, 'billing.reconcile', {}, true);
    expect(dry.result).toMatchObject({ staleSubscriptions: expect.any(Number), unpaidIntents: 1, repaired: 0 });
    expect(Number(dry.result?.missingEvents)).toBeGreaterThan(2);
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'created' });
    await run(world, 'billing.reconcile');
    await workAll(world);
    expect(await intentOf(world, buyer)).toMatchObject({ state: 'paid', stripe_subscription_id: subscription.id });
    expect((await run(world, 'billing.reconcile', {}, true)).result).toMatchObject({
      missingEvents: 0,
      staleSubscriptions: 0,
      unpaidIntents: 0,
    });
  });
});
