import { randomUUID } from 'node:crypto';
import { transaction } from '@enterprise-access/db';
import { type StripeEvent, signatureOf, WEBHOOK_SECRET } from '@enterprise-access/sandbox';
import { linkProvisioning, markFulfilled, recordRenewal } from '../../../../packages/domain/src/billing/index.ts';
import type { World } from '../support/examples.ts';
import { tokenFor } from '../support/harness.ts';
import { attempt, type Worked, work } from '../support/work.ts';

export const INTENTS = '/api/v1/checkout-intent/';
export const WEBHOOK = '/api/v1/customer-billing/stripe-webhook/';
export const SESSIONS = '/api/v1/customer-billing/create-checkout-session/';
export const YEARLY = 'price_teams_yearly';
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Learners of the demonstration can buy; their addresses are known to the LMS. */
export const buyerToken = (id: number): string =>
  tokenFor('enterprise_learner', '00000000-0000-4000-8000-000000000000', id, { email: `learner-${id}@demo.example` });
export const staffToken = (): string =>
  tokenFor('enterprise_openedx_operator', '*', 8, { isStaff: true, email: 'staff@demo.example' });

let next = 1_100;
/** A buyer that no other test has. */
export const newBuyer = (): number => {
  next += 1;
  return next;
};

export const reserve = (world: World, buyer: number, body: object) =>
  world.call('POST', INTENTS, buyerToken(buyer), body);

export const openSession = (world: World, buyer: number, change: object = {}) =>
  world.call('POST', SESSIONS, buyerToken(buyer), {
    admin_email: `learner-${buyer}@demo.example`,
    enterprise_slug: `slug-${buyer}`,
    company_name: `Company ${buyer}`,
    quantity: 12,
    stripe_price_id: YEARLY,
    ...change,
  });

export interface Sent {
  readonly status: number;
  readonly body: unknown;
}

/** Sends a body to the webhook, signed now unless told otherwise. */
export async function sendRaw(
  world: World,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {
    'stripe-signature': signatureOf(String(body), WEBHOOK_SECRET, world.world.now),
  },
): Promise<Sent> {
  const reply = await world.app.inject({
    method: 'POST',
    url: WEBHOOK,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    payload: body,
  });
  return { status: reply.statusCode, body: reply.body === '' ? null : reply.json() };
}

export const send = (world: World, event: object): Promise<Sent> => sendRaw(world, JSON.stringify(event));

/** What Stripe has to say that it has not said yet. */
export function newEvents(world: World): StripeEvent[] {
  const { stripe } = world.world.stripe.state;
  world.world.stripe.state.stripeLife.catchUp();
  const events = stripe.events.slice(stripe.webhook.next);
  stripe.webhook.next = stripe.events.length;
  return events;
}

/** Delivers everything and does the work, until nothing is left to do. */
export async function deliverAll(world: World, events: readonly StripeEvent[] = newEvents(world)): Promise<Worked[]> {
  for (const event of events) {
    const { status } = await send(world, event);
    if (status !== 200) throw new Error(`The webhook answered ${status} to ${event.type}.`);
  }
  return workAll(world);
}

export async function workAll(world: World): Promise<Worked[]> {
  const done: Worked[] = [];
  for (;;) {
    const round = await work(world);
    if (round.length === 0) return done;
    done.push(...round);
    const failed = round.find(({ error }) => error !== null);
    if (failed) throw new Error(`${failed.name} failed`, { cause: failed.error });
  }
}

export const run = (world: World, name: string, payload: Record<string, unknown> = {}, dryRun = false) =>
  attempt(world, name, payload, { dryRun });

export const intentOf = (world: World, buyer: number) =>
  world
    .db('checkout_intents as i')
    .join('users as u', 'u.id', 'i.user_id')
    .where('u.lms_user_id', buyer)
    .orderBy('i.created', 'desc')
    .first('i.*');

/** The buyer fills in Stripe's form; nothing is delivered yet. Returns the subscription at Stripe. */
export async function payFor(
  world: World,
  buyer: number,
  card: { last4?: string; fails?: boolean; name?: string } = {},
) {
  const { stripe } = world.world;
  const intent = await intentOf(world, buyer);
  const session: string = intent.stripe_checkout_session_id;
  const order = stripe.state.orders.get(session);
  if (!order) throw new Error('There is no order.');
  return stripe.state.stripeLife.pay(session, order, { name: `Buyer ${buyer}`, ...card });
}

/** Time passes for us and for Stripe. */
export function pass(world: World, ms: number): void {
  world.world.now = new Date(world.world.now.getTime() + ms);
}

/** A purchase up to its paid trial. */
export async function purchase(world: World, buyer = newBuyer(), change: object = {}) {
  const session = await openSession(world, buyer, change);
  if (session.status !== 201) throw new Error(`No session: ${JSON.stringify(session.body)}`);
  const subscription = await payFor(world, buyer);
  await deliverAll(world);
  return { buyer, subscription, intent: await intentOf(world, buyer) };
}

/** What provisioning does, in short. */
export async function provision(world: World, intent: { uuid: string; enterprise_slug: string }, dueAt: Date) {
  const customer = randomUUID();
  const [trialPlan, paidPlan] = [randomUUID(), randomUUID()];
  world.world.customers.set(customer, {
    uuid: customer,
    name: intent.enterprise_slug,
    slug: intent.enterprise_slug,
    contactEmail: null,
    senderAlias: null,
    defaultLanguage: null,
    isWithoutLearnerPortal: false,
    admins: [{ email: `admin@${intent.enterprise_slug}.example`, lmsUserId: null }],
  });
  const renewalId = Math.floor(Math.random() * 1_000_000);
  const link = { workflowUuid: randomUUID(), enterpriseCustomerUuid: customer };
  // Each is a step of its own.
  await transaction(world.db, (trx) => linkProvisioning(trx, intent.uuid, link));
  await transaction(world.db, (trx) =>
    recordRenewal(trx, world.runtime, {
      intentUuid: intent.uuid,
      subscriptionPlanRenewalId: renewalId,
      priorSubscriptionPlanUuid: trialPlan,
      renewedSubscriptionPlanUuid: paidPlan,
      effectiveDate: dueAt,
    }),
  );
  await transaction(world.db, (trx) => markFulfilled(trx, world.runtime, intent.uuid));
  return { customer, trialPlan, paidPlan, renewalId };
}

/** A purchase whose customer is built, in its trial. */
export async function customerOf(world: World, change: object = {}) {
  const bought = await purchase(world, newBuyer(), change);
  const end = new Date(Number(bought.subscription.trial_end) * 1_000);
  const made = await provision(world, bought.intent, end);
  await workAll(world);
  return { ...bought, ...made };
}
