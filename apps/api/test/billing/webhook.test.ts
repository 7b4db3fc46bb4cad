import { type StripeEvent, signatureOf, WEBHOOK_SECRET } from '@enterprise-access/sandbox';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { World } from '../support/examples.ts';
import { trpcData } from '../support/fixtures.ts';
import { dialects, startApp } from '../support/harness.ts';
import {
  deliverAll,
  HOUR_MS,
  intentOf,
  newBuyer,
  newEvents,
  openSession,
  payFor,
  purchase,
  run,
  send,
  sendRaw,
  WEBHOOK,
  workAll,
} from './support.ts';

const event = (change: object = {}): StripeEvent => ({
  id: `evt_${crypto.randomUUID()}`,
  object: 'event',
  type: 'invoice.paid',
  created: 1_780_000_000,
  data: { object: { id: 'in_foreign', object: 'invoice', currency: 'usd', created: 1, amount_paid: 100 } },
  ...change,
});

describe.each(dialects)('the webhook on %s', (dialect) => {
  let world: World;
  beforeAll(async () => {
    world = await startApp(dialect);
  });
  afterAll(() => world.stop());
  afterEach(() => workAll(world));
  const stored = async () => Number((await world.db('stripe_events').count({ n: '*' }).first())?.n);
  const signed = (body: string, secret = WEBHOOK_SECRET, at = world.world.now) => ({
    'stripe-signature': signatureOf(body, secret, at),
  });
  const shifted = (seconds: number) => new Date(world.world.now.getTime() + seconds * 1_000);

  describe('R-BILL-40: refuses, and stores nothing', () => {
    const body = JSON.stringify(event());
    const bad = 'Invalid signature';
    test.each([
      ['no signature', body, () => ({}), 'Missing Stripe signature header'],
      ['a malformed one', body, () => ({ 'stripe-signature': 'nonsense' }), bad],
      ['a wrong one', body, () => ({ 'stripe-signature': `t=${Math.floor(Date.now() / 1_000)},v1=abc` }), bad],
      [
        'one of another scheme',
        body,
        () => ({ 'stripe-signature': signed(body)['stripe-signature'].replace('v1', 'v0') }),
        bad,
      ],
      ['an old one', body, () => signed(body, WEBHOOK_SECRET, shifted(-301)), bad],
      ['one of the future', body, () => signed(body, WEBHOOK_SECRET, shifted(3_600)), bad],
      ['one with another secret', body, () => signed(body, 'whsec_other'), bad],
      ['an altered byte', body.replace('100', '900'), () => signed(body), bad],
      ['no JSON', 'not json', () => signed('not json'), 'Invalid payload'],
      ['an empty body', '', () => signed(''), 'Invalid payload'],
      ['a list', '[]', () => signed('[]'), 'Authentication failed'],
      ['no data', '{"id":"evt_1"}', () => signed('{"id":"evt_1"}'), 'Invalid payload'],
      ['no object of its kind', JSON.stringify(event({ data: { object: {} } })), null, 'Invalid payload'],
    ] as const)('%s', async (_case, text, headers, detail) => {
      const before = await stored();
      expect(await sendRaw(world, text, headers?.() ?? signed(text))).toEqual({ status: 403, body: { detail } });
      expect(await stored()).toBe(before);
    });

    test('a body beyond the limit', async () => {
      const huge = JSON.stringify(event({ padding: 'x'.repeat(2.5 * 1024 * 1024) }));
      const before = await stored();
      expect((await sendRaw(world, huge)).status).toBe(413);
      expect(await stored()).toBe(before);
    });

    test('everything without a secret', async () => {
      const { settings } = world.runtime;
      Object.assign(settings, { stripeWebhookSecrets: [] });
      try {
        expect(await sendRaw(world, body)).toMatchObject({
          status: 403,
          body: { detail: 'Webhook endpoint secret not configured' },
        });
      } finally {
        Object.assign(settings, { stripeWebhookSecrets: [WEBHOOK_SECRET] });
      }
    });
  });

  test('other methods need a signature before they are refused', async () => {
    const of = (headers: Record<string, string>) => world.app.inject({ method: 'GET', url: WEBHOOK, headers });
    expect((await of({})).json()).toEqual({ detail: 'Missing Stripe signature header' });
    expect((await of({ 'stripe-signature': 'x' })).statusCode).toBe(405);
  });

  test('takes a signature of a few minutes, with one of several secrets, whatever the other headers', async () => {
    const { settings } = world.runtime;
    Object.assign(settings, { stripeWebhookSecrets: ['whsec_new', WEBHOOK_SECRET] });
    try {
      for (const [secret, at] of [
        ['whsec_new', shifted(-299)],
        [WEBHOOK_SECRET, shifted(299)],
      ] as const) {
        const body = JSON.stringify(event());
        const headers = { ...signed(body, secret, at), authorization: 'JWT nonsense', 'content-type': 'text/plain' };
        expect(await sendRaw(world, body, headers)).toEqual({ status: 200, body: null });
      }
    } finally {
      Object.assign(settings, { stripeWebhookSecrets: [WEBHOOK_SECRET] });
    }
  });

  test('R-BILL-42: a type that nobody handles is acknowledged and not stored', async () => {
    const before = await stored();
    expect(await send(world, event({ type: 'customer.updated' }))).toEqual({ status: 200, body: null });
    expect(await send(world, event({ type: 'payment_method.attached' }))).toEqual({ status: 200, body: null });
    expect(await stored()).toBe(before);
  });

  test('R-BILL-43: the same event in ten deliveries at once is stored and handled once', async () => {
    const one = event();
    const replies = await Promise.all(Array.from({ length: 10 }, () => send(world, one)));
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(200));
    const jobs = await world.db('outbox').where({ name: 'billing.handleStripeEvent' }).whereNull('sent');
    expect(jobs).toHaveLength(1);
    expect(await workAll(world)).toMatchObject([{ result: { outcome: 'foreign' } }]);
  });

  test('R-BILL-44: events of others in the account are acknowledged, and nothing of them is kept', async () => {
    const life = world.world.stripe.state.stripeLife;
    const customer = life.newCustomer({ email: 'somebody@else.example' });
    life.subscribe({ customer: customer.id, price: 'price_teams_yearly', quantity: 1, method: life.newMethod().id });
    const events = newEvents(world);
    await deliverAll(world, events);
    const rows = await world.db('stripe_events').whereIn(
      'event_id',
      events.map(({ id }) => id),
    );
    expect(rows.length).toBeGreaterThan(2);
    for (const row of rows) {
      expect(row).toMatchObject({ outcome: 'foreign', checkout_intent_uuid: null });
      expect(JSON.stringify(row.data)).not.toContain('else.example');
    }
  });

  test('an invoice whose intent id stands only in the details of its subscription marks it paid, once', async () => {
    const buyer = newBuyer();
    await openSession(world, buyer);
    await payFor(world, buyer);
    const paid = newEvents(world).find(({ type }) => type === 'invoice.paid') ?? expect.unreachable();
    const object = structuredClone(paid.data.object) as Record<string, never>;
    const { id } = await intentOf(world, buyer);
    const details = { subscription: 'sub_x', metadata: { checkout_intent_id: String(id) } };
    Object.assign(object, {
      lines: { data: [] },
      parent: { type: 'subscription_details', subscription_details: details },
    });
    const told = { ...paid, data: { object } };
    await deliverAll(world, [told]);
    const before = await intentOf(world, buyer);
    expect(before).toMatchObject({ state: 'paid' });
    world.world.now = new Date(world.world.now.getTime() + HOUR_MS);
    expect(await deliverAll(world, [told, told])).toEqual([]);
    expect(await intentOf(world, buyer)).toEqual(before);
  });

  test('an invoice of another customer at Stripe leaves a paid intent alone', async () => {
    const { buyer, subscription, intent } = await purchase(world);
    const stripe = world.world.stripe.state.stripe;
    const paid = stripe.events.findLast(
      ({ type, data }) => type === 'invoice.paid' && data.object.customer === subscription.customer,
    );
    if (!paid) throw new Error('No event.');
    const object = { ...paid.data.object, id: 'in_other', customer: 'cus_other', amount_paid: 500 };
    const done = await deliverAll(world, [{ ...paid, id: `evt_${buyer}_other`, data: { object } }]);
    expect(done).toMatchObject([{ result: { outcome: 'refused' } }]);
    expect(await intentOf(world, buyer)).toEqual(intent);
    expect(
      await world
        .db('stripe_events')
        .where({ event_id: `evt_${buyer}_other` })
        .first(),
    ).toMatchObject({
      checkout_intent_uuid: intent.uuid,
      handled_at: expect.anything(),
    });
  });

  test('an event that cannot be handled is kept with its reason, and staff handle it again', async () => {
    const buyer = newBuyer();
    await openSession(world, buyer);
    await payFor(world, buyer);
    const events = newEvents(world);
    const created = events.find(({ type }) => type === 'customer.subscription.created') ?? expect.unreachable();
    await send(world, created);
    const intent = await intentOf(world, buyer);
    // Two states of one second: Stripe has to be asked, and does not answer.
    await workAll(world);
    const again = {
      ...created,
      id: `${created.id}_again`,
      data: { object: { ...created.data.object, status: 'past_due' } },
    };
    const { fetch } = world.world.stripe;
    Object.assign(world.world.stripe, { fetch: () => Promise.reject(new TypeError('fetch failed')) });
    await send(world, again);
    await expect(workAll(world)).rejects.toThrow('billing.handleStripeEvent failed');
    Object.assign(world.world.stripe, { fetch });
    const page = await trpcData<{ items: { eventId: string; lastError: string }[] }>(
      world,
      'billing.listStripeEvents',
      { isHandled: false },
    );
    expect(page.items).toMatchObject([{ eventId: again.id, lastError: 'UpstreamFailure' }]);
    expect(await trpcData(world, 'billing.replayStripeEvents', { eventIds: [again.id, created.id] })).toEqual({
      replayed: 1,
    });
    expect((await workAll(world))[0]).toMatchObject({ result: { outcome: 'applied' } });
    expect(await world.db('stripe_subscriptions').where({ checkout_intent_uuid: intent.uuid }).first('status')).toEqual(
      {
        status: 'trialing',
      },
    );
  });

  test('R-BILL-73: payloads are removed after 90 days, and only then', async () => {
    const { intent } = await purchase(world);
    const rows = () => world.db('stripe_events').where({ checkout_intent_uuid: intent.uuid });
    expect((await run(world, 'billing.scrub')).result).toMatchObject({ events: 0 });
    world.world.now = new Date(world.world.now.getTime() + 91 * 24 * HOUR_MS);
    const dry = await run(world, 'billing.scrub', {}, true);
    const real = await run(world, 'billing.scrub');
    expect(dry.result).toEqual(real.result);
    expect(Number(real.result?.events)).toBeGreaterThan(2);
    for (const { data, scrubbed_at: at } of await rows()) {
      expect(typeof data === 'string' ? JSON.parse(data) : data).toEqual({});
      expect(at).not.toBeNull();
    }
  });
});
