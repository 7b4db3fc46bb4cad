import { sandboxWithState } from '@enterprise-access/sandbox';
import { useService } from '@enterprise-access/services/testing';
import { afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { processCache } from '../kernel/cache/cache.ts';
import type { Stripe } from '../kernel/ports/stripe.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import { httpStripe, STRIPE_API_VERSION } from './stripe.ts';

const clientAt = (baseUrl: string, change: Partial<Parameters<typeof httpStripe>[0]> = {}): Stripe =>
  httpStripe({ apiKey: 'sk_test_123', baseUrl, timeoutMs: 2_000, cache: processCache(), ...change });

const request = {
  priceId: 'price_teams_yearly',
  quantity: 12,
  trialDays: 14,
  customerEmail: 'buyer@demo.example',
  metadata: { checkout_intent_id: '7' },
};

/** Every call of the port, on things with these ids. */
const calls = (ids: Readonly<Record<'customer' | 'method' | 'subscription' | 'invoice' | 'session', string>>) =>
  ({
    prices: (stripe) => stripe.prices(),
    customerByEmail: (stripe) => stripe.customerByEmail("o'brien@demo.example"),
    customer: (stripe) => stripe.customer(ids.customer),
    updateCustomer: (stripe) =>
      stripe.updateCustomer(
        ids.customer,
        {
          name: 'Acme',
          email: 'a@acme.example',
          phone: '',
          address: { city: 'Cambridge', country: 'US', line1: '1 Main', line2: null, postalCode: '02139', state: 'MA' },
        },
        'key:address',
      ),
    defaultPaymentMethod: (stripe) =>
      stripe.updateCustomer(ids.customer, { defaultPaymentMethod: ids.method }, 'key:default'),
    checkoutSession: (stripe) => stripe.checkoutSession(ids.session),
    'createCheckoutSession for an address': (stripe) =>
      stripe.createCheckoutSession({ ...request, customerId: null }, 'key:session'),
    'createCheckoutSession for a customer, without a trial': (stripe) =>
      stripe.createCheckoutSession({ ...request, customerId: ids.customer, trialDays: 0 }, 'key:session-2'),
    createPortalSession: (stripe) =>
      stripe.createPortalSession(ids.customer, 'https://portal.example/acme', 'key:portal'),
    subscription: (stripe) => stripe.subscription(ids.subscription),
    subscriptionsOf: (stripe) => stripe.subscriptionsOf(ids.customer, { status: 'trialing', limit: 1 }),
    subscriptionsSince: (stripe) => stripe.subscriptionsSince(new Date('2026-01-01'), null),
    cancel: (stripe) => stripe.setCancellation(ids.subscription, true, 'key:cancel'),
    reinstate: (stripe) => stripe.setCancellation(ids.subscription, false, 'key:reinstate'),
    requirePayment: (stripe) => stripe.requirePayment(ids.subscription, 'key:prepare'),
    setSubscriptionMetadata: (stripe) =>
      stripe.setSubscriptionMetadata(ids.subscription, { ssp_product_slug: 'teams-yearly' }, 'key:tag'),
    invoice: (stripe) => stripe.invoice(ids.invoice),
    invoicesOf: (stripe) => stripe.invoicesOf(ids.customer, { limit: 10, status: 'paid' }),
    upcomingAmount: (stripe) => stripe.upcomingAmount(ids.customer, ids.subscription),
    paymentOf: (stripe) => stripe.paymentOf(ids.invoice),
    paymentMethod: (stripe) => stripe.paymentMethod(ids.method),
    paymentMethodsOf: (stripe) => stripe.paymentMethodsOf(ids.customer),
    attachPaymentMethod: (stripe) => stripe.attachPaymentMethod('pm_free', ids.customer, 'key:attach'),
    detachPaymentMethod: (stripe) => stripe.detachPaymentMethod(ids.method, 'key:detach'),
    events: (stripe) => stripe.events({ limit: 100, type: 'invoice.paid', since: new Date('2026-01-01') }),
  }) satisfies Readonly<Record<string, (stripe: Stripe) => Promise<unknown>>>;

const { missing } = inject('services');

describe.skipIf(missing.stripeMock !== null)('against the description of Stripe itself', () => {
  let stripe: Stripe;
  const names = Object.entries(
    calls({ customer: 'cus_1', method: 'pm_1', subscription: 'sub_1', invoice: 'in_1', session: 'cs_1' }),
  );
  beforeAll(async () => {
    stripe = clientAt(await useService(inject('services'), 'stripeMock'));
  });

  test.each(names)('%s is a valid request, and its reply can be read', async (_name, call) => {
    await expect(call(stripe)).resolves.not.toThrow();
  });

  test('the description would refuse what Stripe does not know', async () => {
    const url = await useService(inject('services'), 'stripeMock');
    const reply = await fetch(`${url}/v1/checkout/sessions`, {
      method: 'POST',
      headers: { authorization: 'Bearer sk_test_123', 'content-type': 'application/x-www-form-urlencoded' },
      body: 'mode=subscription&ui_mode=custom&nonsense=1',
    });
    expect(reply.status).toBe(400);
  });

  /** Fields of replies of the sandbox that the description does not have, by path. */
  function unknownFields(ours: unknown, theirs: unknown, path: string): string[] {
    if (Array.isArray(ours)) return ours.slice(0, 1).flatMap((each) => unknownFields(each, [theirs].flat()[0], path));
    if (typeof ours !== 'object' || ours === null || typeof theirs !== 'object' || theirs === null) return [];
    const known = theirs as Record<string, unknown>;
    if (path.endsWith('metadata')) return [];
    return Object.entries(ours).flatMap(([name, value]) =>
      name in known ? unknownFields(value, known[name], `${path}.${name}`) : [`${path}.${name}`],
    );
  }

  test('what the sandbox answers has no fields that Stripe does not have', async () => {
    const url = await useService(inject('services'), 'stripeMock');
    const { app, state } = sandboxWithState({ now: () => new Date('2026-06-01T12:00:00Z') });
    const life = state.stripeLife;
    const customer = life.newCustomer({ email: 'a@demo.example' });
    const method = life.newMethod({}, customer.id);
    const order = { price: 'price_teams_yearly', quantity: 2, trialDays: 0 };
    const subscription = life.subscribe({ ...order, customer: customer.id, method: method.id });
    const session = life.newSession({});
    const paths = {
      customers: `/v1/customers/${customer.id}`,
      methods: `/v1/payment_methods/${method.id}`,
      subscriptions: `/v1/subscriptions/${subscription.id}`,
      invoices: `/v1/invoices/${subscription.latest_invoice}`,
      sessions: `/v1/checkout/sessions/${session.id}`,
      prices: '/v1/prices',
      payments: `/v1/invoice_payments?invoice=${subscription.latest_invoice}`,
      events: '/v1/events?type=invoice.paid',
    };
    const headers = { authorization: 'Bearer sk_test_123' };
    const found = await Promise.all(
      Object.entries(paths).map(async ([name, path]) => {
        const ours = await app.inject({ method: 'GET', url: path, headers });
        const theirs = await fetch(`${url}${path}`, { headers });
        const known = (await theirs.json()) as { data: { data: unknown }[] };
        // Events carry an object of another kind in the description.
        const [first] = known.data;
        if (name === 'events' && first) first.data = ours.json().data[0].data;
        return unknownFields(ours.json(), known, name);
      }),
    );
    // Optional in the description; the fixtures leave them out.
    const optional = ['invoices.lines.data.pricing.price_details', 'payments.data.payment.payment_intent'];
    expect(found.flat().filter((path) => !optional.includes(path))).toEqual([]);
  });
});

describe('the client of Stripe', () => {
  const seen: { method: string; url: string; headers: Headers; body: string }[] = [];
  let answers: (() => Response | Promise<Response>)[] = [];
  const fakeFetch = (async (input: Parameters<typeof fetch>[0], init?: RequestInit) => {
    seen.push({
      method: init?.method ?? 'GET',
      url: String(input),
      headers: new Headers(init?.headers),
      body: String(init?.body ?? ''),
    });
    const answer = answers.shift();
    if (!answer) throw new TypeError('fetch failed');
    return answer();
  }) as typeof fetch;
  const json = (status: number, body: object) => () =>
    new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
  const stripe = () => clientAt('http://stripe.test', { fetch: fakeFetch });
  afterEach(() => {
    seen.length = 0;
    answers = [];
  });
  const subscription = {
    id: 'sub_1',
    object: 'subscription',
    status: 'active',
    customer: 'cus_1',
    items: { data: [] },
  };

  test('pins the version of the API and sends the key that it was given, on every attempt', async () => {
    answers = [json(500, { error: { message: 'x' } }), json(200, subscription)];
    await stripe().setCancellation('sub_1', true, 'cancel:sub_1');
    expect(seen).toHaveLength(2);
    for (const { headers, body } of seen) {
      expect(headers.get('stripe-version')).toBe(STRIPE_API_VERSION);
      expect(headers.get('idempotency-key')).toBe('cancel:sub_1');
      expect(body).toBe('cancel_at_period_end=true');
    }
  });

  test('gives up after some attempts', async () => {
    await expect(stripe().subscription('sub_1')).rejects.toThrow(UpstreamFailure);
    expect(seen.length).toBeLessThanOrEqual(3);
  });

  test.each([
    [404, UpstreamRefusal],
    [400, UpstreamRefusal],
    [402, UpstreamRefusal],
    [401, UpstreamFailure],
    [403, UpstreamFailure],
  ])('%i is a %o', async (status, kind) => {
    answers = Array.from({ length: 8 }, () =>
      json(status, { error: { message: 'no', type: 'invalid_request_error' } }),
    );
    await expect(stripe().subscription('sub_1')).rejects.toThrow(kind);
  });

  test('a reply of another form is a failure of the service', async () => {
    answers = Array.from({ length: 8 }, () => json(200, { id: 'sub_1' }));
    await expect(stripe().subscription('sub_1')).rejects.toThrow('answered something else than agreed');
  });

  test('without a key it fails without a call', async () => {
    const off = clientAt('http://stripe.test', { apiKey: null, fetch: fakeFetch });
    expect(off.isOn).toBe(false);
    await expect(off.prices()).rejects.toThrow('is not configured');
    expect(seen).toEqual([]);
  });

  test('prices are asked for once in five minutes, on all pages, and odd ones are left out', async () => {
    const price = (id: string, change = {}) => ({
      id,
      object: 'price',
      active: true,
      currency: 'usd',
      unit_amount: 100,
      billing_scheme: 'per_unit',
      type: 'recurring',
      lookup_key: `key_${id}`,
      product: 'prod_1',
      recurring: { interval: 'year', interval_count: 1, usage_type: 'licensed' },
      ...change,
    });
    answers = [
      json(200, { object: 'list', data: [price('a'), price('odd', { unit_amount: null })], has_more: true, url: '/' }),
      json(200, { object: 'list', data: [price('b')], has_more: false, url: '/' }),
    ];
    const client = stripe();
    expect([...(await client.prices()).keys()]).toEqual(['key_a', 'key_b']);
    await client.prices();
    expect(seen.map(({ url }) => new URL(url).searchParams.get('starting_after'))).toEqual([null, 'odd']);
  });
});
