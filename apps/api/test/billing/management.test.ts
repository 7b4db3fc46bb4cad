import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { trpcData } from '../support/fixtures.ts';
import { dialects, operatorToken, startApp, tokenFor } from '../support/harness.ts';
import { customerOf, DAY_MS, deliverAll, pass, purchase, workAll } from './support.ts';

const BASE = '/api/v1/billing-management/';
const SUMMARIES = '/api/v1/stripe-event-summary/';

describe.each(dialects)('billing management on %s', (dialect) => {
  let world: World;
  let of: Awaited<ReturnType<typeof customerOf>>;
  let admin: string;
  beforeAll(async () => {
    world = await startApp(dialect);
    of = await customerOf(world);
    admin = tokenFor('enterprise_admin', of.customer, 8);
  });
  afterAll(() => world.stop());
  const life = () => world.world.stripe.state.stripeLife;
  const ask = (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: object,
    { customer = of.customer, token = admin, query = '' } = {},
  ) => world.call(method, `${BASE}${path}?enterprise_customer_uuid=${customer}${query}`, token, body);

  test('is there for everybody who is signed in', async () => {
    expect((await world.call('GET', `${BASE}health-check/`, admin)).body).toEqual({ status: 'healthy' });
    expect((await world.call('GET', `${BASE}health-check/`, null)).status).toBe(401);
  });

  test('a customer without a purchase has nobody at Stripe', async () => {
    const nobody = { customer: crypto.randomUUID(), token: operatorToken() };
    const error = { status: 404, body: { error: 'Stripe customer not found for this enterprise' } };
    for (const path of ['address/', 'payment-methods/', 'transactions/'])
      expect(await ask('GET', path, undefined, nobody)).toMatchObject(error);
    for (const path of ['subscription/cancel/', 'subscription/reinstate/'])
      expect(await ask('POST', path, undefined, nobody)).toMatchObject(error);
    expect(await ask('GET', 'subscription/', undefined, nobody)).toMatchObject({
      status: 404,
      body: { error: 'Checkout Intent not found for this enterprise' },
    });
    expect((await ask('GET', 'address/', undefined, { customer: crypto.randomUUID() })).status).toBe(403);
    expect((await world.call('GET', `${BASE}address/`, admin)).status).toBe(403);
  });

  test('the address: what is left out stays or goes as before', async () => {
    const address = {
      name: 'Acme',
      email: 'invoices@acme.example',
      phone: '+1 555',
      country: 'us',
      address_line_1: '1 Main Street',
      address_line_2: 'Floor 2',
      city: 'Cambridge',
      state: 'MA',
      postal_code: '02139',
    };
    expect((await ask('POST', 'address/', address)).body).toEqual({ ...address, country: 'US' });
    const { phone: _phone, address_line_2: _line, ...less } = address;
    expect((await ask('POST', 'address/', less)).body).toMatchObject({ phone: '+1 555', address_line_2: null });
    expect((await ask('POST', 'address/', { ...less, phone: '' })).body).toMatchObject({ phone: null });
    expect((await ask('GET', 'address/')).body).toMatchObject({ name: 'Acme', phone: null, country: 'US' });
    const bad = await ask('POST', 'address/', { ...less, country: '1!', postal_code: ' ' });
    expect(bad).toMatchObject({
      status: 400,
      body: { country: ['Country must be a valid two-letter ISO code (e.g., US, CA, GB)'] },
    });
    expect(bad.body).toHaveProperty('postal_code');
  });

  test('payment methods: added, made the default, removed, each with its refusals', async () => {
    const id = of.subscription.default_payment_method ?? '';
    const methods = async () => (await ask('GET', 'payment-methods/')).body.payment_methods;
    expect(await methods()).toEqual([
      {
        id,
        type: 'card',
        last4: '4242',
        brand: 'visa',
        exp_month: 12,
        exp_year: 2030,
        is_default: true,
        status: 'verified',
      },
    ]);
    expect(await ask('DELETE', `payment-methods/${id}/`)).toMatchObject({
      status: 409,
      body: { error: 'Cannot delete the only payment method on the account' },
    });
    const second = life().newMethod({ last4: '0042' }).id;
    const added = { message: 'Payment method added successfully', payment_method_id: second };
    for (let times = 0; times < 2; times += 1)
      expect(await ask('POST', 'payment-methods/', { payment_method_id: second })).toMatchObject({
        status: 200,
        body: added,
      });
    // People see the zeros.
    expect((await methods())[0]).toMatchObject({ last4: '0042', is_default: false });
    expect(await ask('DELETE', `payment-methods/${id}/`)).toMatchObject({
      status: 409,
      body: { error: 'Set another method as default before deleting this one' },
    });
    expect((await ask('POST', `payment-methods/${second}/set-default/`)).body).toEqual({
      message: 'Payment method set as default successfully',
    });
    expect((await ask('DELETE', `payment-methods/${id}/`)).body).toEqual({
      message: 'Payment method deleted successfully',
    });
    expect((await methods()).map((method: { id: string }) => method.id)).toEqual([second]);
    expect(await ask('POST', 'payment-methods/', { payment_method_id: 'pm_none' })).toMatchObject({
      status: 404,
      body: { error: 'Payment method not found' },
    });
    const foreign = life().newMethod({}, life().newCustomer({}).id).id;
    expect(await ask('POST', 'payment-methods/', { payment_method_id: foreign })).toMatchObject({
      status: 409,
      body: { error: 'Payment method is already attached to another customer' },
    });
    for (const [method, path] of [
      ['POST', `payment-methods/${foreign}/set-default/`],
      ['DELETE', `payment-methods/${foreign}/`],
    ] as const)
      expect(await ask(method, path)).toMatchObject({
        status: 404,
        body: { error: 'Payment method not found or does not belong to this customer' },
      });
  });

  test('plan info and summaries of the trial plan, right after provisioning, and of the paid one', async () => {
    const about = (plan: string, route: string, token = admin) =>
      world.call('GET', `${SUMMARIES}${route}?subscription_plan_uuid=${plan}`, token);
    const info = {
      upcoming_invoice_amount_due: 475_200,
      currency: 'usd',
      canceled_date: null,
      checkout_intent_uuid: of.intent.uuid,
      is_canceled: false,
      renewed_subscription_plan_uuid: of.paidPlan,
    };
    for (const plan of [of.trialPlan, of.paidPlan])
      for (const route of ['get-stripe-subscription-plan-info/', 'first-invoice-upcoming-amount-due/'])
        expect(await about(plan, route)).toMatchObject({ status: 200, body: info });
    const { body } = await about(of.trialPlan, '');
    expect(body).toMatchObject({ next: null, previous: null });
    expect(body.results.find((each: { event_type: string }) => each.event_type === 'invoice.paid')).toMatchObject({
      checkout_intent: of.intent.id,
      stripe_object_type: 'invoice',
      invoice_amount_paid: 0,
      invoice_unit_amount: 39_600,
      invoice_unit_amount_decimal: '39600',
      invoice_quantity: 12,
      subscription_status: null,
    });
    expect((await about(crypto.randomUUID(), '')).status).toBe(403);
    expect((await about(of.trialPlan, '', tokenFor('enterprise_admin', crypto.randomUUID(), 9))).status).toBe(403);
    expect(await world.call('GET', SUMMARIES, operatorToken())).toMatchObject({
      status: 400,
      body: ['subscription_plan_uuid query param is required'],
    });
    expect((await about(crypto.randomUUID(), 'get-stripe-subscription-plan-info/', operatorToken())).status).toBe(404);
  });

  test('cancel and reinstate: a second click is refused at once, and the mails are sent once', async () => {
    const { customer, subscription, intent } = await customerOf(world);
    const token = tokenFor('enterprise_admin', customer, 8);
    const own = { customer, token };
    const end = Number(subscription.trial_end);
    const running = {
      id: subscription.id,
      status: 'trialing',
      current_period_end: end,
      currency: 'usd',
      product_type: 'Teams',
      yearly_amount: 475_200,
      license_count: 12,
    };
    expect(await ask('POST', 'subscription/reinstate/', undefined, own)).toMatchObject({
      status: 409,
      body: { error: 'Subscription is not currently scheduled for cancellation' },
    });
    expect(await ask('POST', 'subscription/cancel/', undefined, own)).toMatchObject({
      status: 200,
      body: { ...running, cancel_at_period_end: true, cancel_at: end },
    });
    // No event has come yet.
    expect(await ask('POST', 'subscription/cancel/', undefined, own)).toMatchObject({
      status: 409,
      body: { error: 'Subscription is already scheduled for cancellation' },
    });
    expect(await trpcData(world, 'billing.getSubscription', { enterpriseCustomerUuid: customer }, token)).toMatchObject(
      {
        subscription: { cancelAtPeriodEnd: true, cancelAt: end },
      },
    );
    world.world.mails.length = 0;
    await workAll(world);
    pass(world, 1_000);
    await deliverAll(world);
    expect(world.world.mails.map(({ campaign }) => campaign)).toEqual(['BRAZE_TRIAL_CANCELLATION_CAMPAIGN']);
    pass(world, DAY_MS);
    expect(await ask('POST', 'subscription/reinstate/', undefined, own)).toMatchObject({
      status: 200,
      body: { ...running, cancel_at_period_end: false, cancel_at: null },
    });
    await workAll(world);
    await deliverAll(world);
    expect(world.world.mails.map(({ campaign }) => campaign)).toEqual([
      'BRAZE_TRIAL_CANCELLATION_CAMPAIGN',
      'BRAZE_SSP_SUBSCRIPTION_REINSTATED_CAMPAIGN',
    ]);
    expect(await world.db('subscription_renewals').where({ checkout_intent_uuid: intent.uuid }).first()).toMatchObject({
      subscription_cancel_at: null,
    });
  });

  test('a plan that is not sold here cannot be cancelled here; what has ended is no subscription', async () => {
    const { customer, subscription } = await customerOf(world);
    const own = { customer, token: tokenFor('enterprise_admin', customer, 8) };
    await world.db('ssp_products').where({ slug: 'teams-yearly' }).update({ is_active: false });
    expect(await ask('POST', 'subscription/cancel/', undefined, own)).toMatchObject({
      status: 403,
      body: { error: 'Subscription cancellation is not available for your plan type' },
    });
    await world.db('ssp_products').where({ slug: 'teams-yearly' }).update({ is_active: true });
    life().cancelNow(subscription.id);
    expect(await ask('POST', 'subscription/cancel/', undefined, own)).toMatchObject({
      status: 404,
      body: { error: 'No active subscription found for this enterprise' },
    });
    expect((await ask('GET', 'subscription/', undefined, own)).body).toEqual({});
  });

  test('transactions, newest first, with their receipts', async () => {
    const { customer, subscription } = await customerOf(world);
    const own = { customer, token: tokenFor('enterprise_admin', customer, 8) };
    pass(world, 15 * DAY_MS);
    await deliverAll(world);
    const all = (await ask('GET', 'transactions/', undefined, own)).body;
    expect(all).toMatchObject({
      transactions: [
        {
          amount: 475_200,
          currency: 'usd',
          status: 'paid',
          receipt_url: expect.stringMatching(/^https:/),
          invoice_pdf_url: expect.stringMatching(/^https:/),
        },
        { amount: 0, status: 'paid', receipt_url: null },
      ],
      next_page_token: null,
    });
    const first = (await ask('GET', 'transactions/', undefined, { ...own, query: '&limit=1' })).body;
    expect(first).toMatchObject({ transactions: [{ amount: 475_200 }], next_page_token: all.transactions[0].id });
    const next = `&limit=1&page_token=${first.next_page_token}`;
    expect((await ask('GET', 'transactions/', undefined, { ...own, query: next })).body).toMatchObject({
      transactions: [{ amount: 0 }],
      next_page_token: null,
    });
    for (const limit of ['0', '26', '2.5', 'x', ''])
      expect(
        (await ask('GET', 'transactions/', undefined, { ...own, query: `&limit=${limit}` })).body.transactions,
      ).toHaveLength(2);
    expect(await ask('GET', 'transactions/', undefined, { ...own, query: '&page_token=in_none' })).toMatchObject({
      status: 400,
      body: { error: 'Invalid request to Stripe API' },
    });
    expect(subscription.id).toMatch(/^sub_/);
  });

  test('a purchase that is not provisioned belongs to no customer', async () => {
    const own = async () => (await ask('GET', 'transactions/')).body.transactions.length;
    const before = await own();
    await purchase(world);
    expect(await own()).toBe(before);
  });
});
