import { createHmac } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { parseBody } from './http.ts';
import type { SandboxState } from './state.ts';
import type { Json } from './stripe-store.ts';
import { deliver } from './stripe-webhooks.ts';

const DAY_MS = 86_400_000;
const HOUR_SECONDS = 3_600;

const escaped = (value: unknown): string =>
  String(value ?? '–').replace(/[&<>"']/g, (each) => `&#${each.charCodeAt(0)};`);

const field = (label: string, name: string, value: string) =>
  `<label>${escaped(label)} <input name="${name}" value="${escaped(value)}" required></label>`;
const button = (action: string, label: string, hidden: Readonly<Record<string, string>> = {}) =>
  `<form method="post" action="${action}">${Object.entries(hidden)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${escaped(value)}">`)
    .join('')}<button>${escaped(label)}</button></form>`;
const table = (heads: readonly string[], rows: readonly (readonly string[])[]) =>
  `<table><tr>${heads.map((head) => `<th>${head}</th>`).join('')}</tr>${rows
    .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
    .join('')}</table>`;
const time = (seconds: unknown) =>
  typeof seconds === 'number' ? new Date(seconds * 1_000).toISOString().slice(0, 16) : '–';

const STYLE =
  'body{font:15px system-ui;margin:2rem;max-width:70rem}table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:left}form{display:inline}label{display:block;margin:.3rem 0}';

/** The API that sells, and the key of the tokens that it accepts. */
export interface Shop {
  readonly apiUrl: string;
  readonly tokenSecret: string;
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A token of the buyer, as the LMS would issue it. */
function buyerToken({ tokenSecret }: Shop, userId: number, email: string): string {
  const issued = Math.floor(Date.now() / 1_000);
  const content = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({
    iss: 'http://localhost:18000/oauth2',
    aud: 'lms-key',
    iat: issued,
    exp: issued + HOUR_SECONDS,
    preferred_username: `user-${userId}`,
    user_id: userId,
    email,
    administrator: false,
    roles: [],
    version: '1.2.0',
  })}`;
  return `${content}.${createHmac('sha256', tokenSecret).update(content).digest('base64url')}`;
}

const order = z.object({
  userId: z.coerce.number().int().min(1000).max(1999),
  slug: z.string().min(1),
  name: z.string().min(1),
  quantity: z.coerce.number().int(),
  price: z.string().min(1),
});

/** A page on which a person buys, pays, cancels, and lets time pass. */
export function stripePage(app: FastifyInstance, state: SandboxState, shopOf: () => Shop | null): void {
  const page = (message = ''): string => {
    const { sessions, subscriptions, invoices, prices, events, webhook } = state.stripe;
    const open = [...sessions.values()].filter(({ status }) => status === 'open');
    const choices = [...prices.values()]
      .filter(({ lookup_key }) => lookup_key !== null)
      .map(
        ({ id, lookup_key, unit_amount }) =>
          `<option value="${id}">${escaped(lookup_key)}: ${unit_amount} cents</option>`,
      );
    return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Stripe of the sandbox</title><style>${STYLE}</style>
<h1>Stripe of the sandbox</h1><p>${escaped(message)}</p>
<p>Clock: ${time(state.stripeLife.now())} UTC. ${button('/stripe/advance', 'One day later', { days: '1' })} ${button('/stripe/advance', '14 days later', { days: '14' })} ${button('/stripe/advance', 'A year later', { days: '366' })}</p>
<h2>1. Buy</h2><form method="post" action="/stripe/buy">${field('LMS user, 1000 to 1999', 'userId', '1500')}${field('Slug', 'slug', 'acme')}${field('Company', 'name', 'Acme')}${field('Licences', 'quantity', '13')}<label>Price <select name="price">${choices.join('')}</select></label><button>Reserve and open a session</button></form>
<h2>2. Pay</h2>${table(
      ['session', 'for', ''],
      open.map(({ id, customer_email }) => [
        escaped(id),
        escaped(customer_email),
        `${button('/stripe/pay', 'Pay with 4242', { session: id, last4: '4242' })} ${button('/stripe/pay', 'Pay with 0042', { session: id, last4: '0042' })} ${button('/stripe/pay', 'With a card that fails later', { session: id, last4: '0341', fails: 'true' })}`,
      ]),
    )}
<h2>3. Live with it</h2>${table(
      ['subscription', 'status', 'licences', 'period until', 'ends', ''],
      [...subscriptions.values()].map((each) => [
        escaped(each.id),
        escaped(each.status),
        escaped(each.items.data[0].quantity),
        time(each.items.data[0].current_period_end),
        time(each.cancel_at),
        `${button('/stripe/cancel', each.cancel_at_period_end ? 'Reinstate' : 'Cancel', { id: each.id, cancel: String(!each.cancel_at_period_end) })} ${button('/stripe/card', 'New card', { id: each.id })} ${button('/stripe/quantity', 'One licence more', { id: each.id, quantity: String(each.items.data[0].quantity + 1) })}`,
      ]),
    )}
<h2>Invoices</h2>${table(
      ['invoice', 'reason', 'status', 'paid, cents'],
      [...invoices.values()].map((each) => [
        escaped(each.id),
        escaped(each.billing_reason),
        escaped(each.status),
        escaped(each.amount_paid),
      ]),
    )}
<p>${webhook.next} of ${events.length} events were delivered to ${escaped(webhook.url)}. Mails: <a href="/control/mails">/control/mails</a></p></html>`;
  };
  const back = (reply: { redirect: (url: string) => unknown }, message = '') =>
    reply.redirect(`/stripe/${message === '' ? '' : `?said=${encodeURIComponent(message)}`}`);

  app.get<{ Querystring: { said?: string } }>('/', (request, reply) => {
    reply.type('text/html; charset=utf-8').send(page(request.query.said ?? ''));
  });

  app.post('/buy', async (request, reply) => {
    const shop = shopOf();
    if (!shop) return back(reply, 'The sandbox does not know the API: start it with npm start.');
    const { userId, slug, name, quantity, price } = parseBody(order, request.body);
    const email = state.lms.accounts.get(userId)?.email ?? '';
    const answer = await fetch(`${shop.apiUrl}/api/v1/customer-billing/create-checkout-session/`, {
      method: 'POST',
      headers: { authorization: `JWT ${buyerToken(shop, userId, email)}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        admin_email: email,
        enterprise_slug: slug,
        company_name: name,
        quantity,
        stripe_price_id: price,
      }),
    });
    return back(reply, `The API answered ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
  });
  app.post('/pay', (request, reply) => {
    const { session, last4, fails } = request.body as Record<string, string>;
    const bought = state.orders.get(session ?? '');
    if (!bought) return back(reply, 'There is no such session.');
    const { id } = state.stripeLife.pay(session ?? '', bought, { last4: last4 ?? '4242', fails: fails === 'true' });
    return back(reply, `Paid: subscription ${id}.`);
  });
  app.post('/advance', (request, reply) => {
    state.stripeLife.advance(Number((request.body as Json).days) * DAY_MS);
    return back(reply);
  });
  app.post('/cancel', (request, reply) => {
    const { id, cancel } = request.body as Record<string, string>;
    state.stripeLife.setCancellation(id ?? '', cancel === 'true');
    return back(reply);
  });
  app.post('/card', (request, reply) => {
    state.stripeLife.setCard(String((request.body as Json).id), {});
    return back(reply);
  });
  app.post('/quantity', (request, reply) => {
    const { id, quantity } = request.body as Record<string, string>;
    state.stripeLife.setQuantity(id ?? '', Number(quantity));
    return back(reply);
  });
}

const webhookBody = z.strictObject({
  url: z.url().nullable().optional(),
  secret: z.string().min(1).optional(),
  mode: z.enum(['send', 'hold']).optional(),
});
const payBody = z.strictObject({
  session: z.string(),
  last4: z.string().optional(),
  brand: z.string().optional(),
  name: z.string().optional(),
  fails: z.boolean().optional(),
});
const deliveryBody = z.strictObject({
  order: z.enum(['in order', 'reverse', 'shuffled']).optional(),
  times: z.int().min(1).max(10).optional(),
});

/** The same for programs. */
export function stripeControl(app: FastifyInstance, state: SandboxState): void {
  app.get('/', (_request, reply) => {
    const { events, webhook, subscriptions, sessions } = state.stripe;
    reply.send({
      now: state.stripeLife.now(),
      webhook,
      events,
      subscriptions: [...subscriptions.values()],
      sessions: [...sessions.values()],
    });
  });
  app.put('/webhook', (request, reply) => {
    Object.assign(state.stripe.webhook, parseBody(webhookBody, request.body));
    reply.send(state.stripe.webhook);
  });
  app.post('/pay', (request, reply) => {
    const { session, ...card } = parseBody(payBody, request.body);
    const bought = state.orders.get(session);
    if (!bought) return reply.code(404).send({ detail: 'There is no such session.' });
    const paid = Object.fromEntries(Object.entries(card).filter(([, value]) => value !== undefined));
    return reply.send(state.stripeLife.shown(state.stripeLife.pay(session, bought, paid)));
  });
  app.post('/advance', (request, reply) => {
    const { days } = parseBody(z.strictObject({ days: z.number().min(0).max(3_660) }), request.body);
    state.stripeLife.advance(days * DAY_MS);
    reply.send({ now: state.stripeLife.now() });
  });
  app.post('/deliver', async (request, reply) => {
    const { order: wanted, times } = parseBody(deliveryBody, request.body ?? {});
    const acknowledged = await deliver(state, {
      ...(wanted === undefined ? {} : { order: wanted }),
      ...(times === undefined ? {} : { times }),
    });
    return reply.send({ acknowledged });
  });
}
