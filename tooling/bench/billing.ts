import { setTimeout as sleep } from 'node:timers/promises';
import type { TestServers } from '@enterprise-access/db/testing';
import { signatureOf, WEBHOOK_SECRET } from '@enterprise-access/sandbox';
import { alternate, median, percentile, type Row, rateOf, type Settings } from './measure.ts';
import { bigWorld, dialectsOf, makeSetting, type Setting } from './setting.ts';

const WEBHOOK = '/api/v1/customer-billing/stripe-webhook/';
const CLIENTS = 32;
const PER_SECOND = 100;
const MOST_MS = 50;

/** An event of the size of a real one. */
const eventOf = (id: string) => ({
  id,
  object: 'event',
  type: 'customer.subscription.updated',
  created: Math.floor(Date.now() / 1_000),
  data: {
    object: { id: `sub_${id}`, object: 'subscription', status: 'active', customer: 'cus_1', note: 'x'.repeat(3_000) },
  },
});

async function deliver({ app }: Setting, now: Date): Promise<number> {
  const body = JSON.stringify(eventOf(`evt_${crypto.randomUUID()}`));
  const headers = {
    'content-type': 'application/json',
    'stripe-signature': signatureOf(body, WEBHOOK_SECRET, now),
  };
  const start = performance.now();
  const reply = await app.inject({ method: 'POST', url: WEBHOOK, headers, payload: body });
  if (reply.statusCode !== 200) throw new Error(`webhook: ${reply.statusCode} ${reply.body}`);
  return performance.now() - start;
}

async function insert({ db }: Setting): Promise<void> {
  const id = `evt_${crypto.randomUUID()}`;
  const now = new Date();
  await db('stripe_events').insert({
    event_id: id,
    event_type: 'customer.subscription.updated',
    stripe_created: now,
    object_id: `sub_${id}`,
    subscription_id: `sub_${id}`,
    data: JSON.stringify(eventOf(id)),
    created: now,
  });
}

/** Times of acknowledgement of deliveries that come at a steady rate, in milliseconds. */
async function atSteadyRate(seconds: number, send: () => Promise<number>): Promise<number[]> {
  const taken: Promise<number>[] = [];
  const start = performance.now();
  for (let at = 0; at < seconds * PER_SECOND; at += 1) {
    const wait = start + (at * 1_000) / PER_SECOND - performance.now();
    if (wait > 0) await sleep(wait);
    taken.push(send());
  }
  return Promise.all(taken);
}

/** Intake of Stripe's events: stored with their jobs and acknowledged, against bare inserts of the same rows. */
export async function billing(servers: TestServers, { seconds, rounds }: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const world = bigWorld();
    const setting = await makeSetting(servers, dialect, world, { stripeWebhookSecrets: [WEBHOOK_SECRET] });
    const send = () => deliver(setting, world.now);
    try {
      const ours = () => rateOf(CLIENTS, seconds, async () => void (await send()));
      const bare = () => rateOf(CLIENTS, seconds, () => insert(setting));
      await rateOf(CLIENTS, 1, async () => void (await send()));
      const [delivered = [], inserted = []] = await alternate(rounds, [ours, bare]);
      const [rate, reference] = [median(delivered), median(inserted)];
      rows.push({
        name: `billing: events stored with their jobs, ${CLIENTS} at once, ${dialect}`,
        ours: `${rate.toFixed(0)}/s`,
        reference: `${reference.toFixed(0)}/s bare inserts`,
        ratio: rate / reference,
        bar: { at: 'least', value: 0.5 },
      });
      const times = await atSteadyRate(seconds * rounds, send);
      const slow = percentile(times, 0.99);
      rows.push({
        name: `billing: acknowledged at ${PER_SECOND}/s, p99, ${dialect}`,
        ours: `${slow.toFixed(1)} ms (p50 ${median(times).toFixed(1)} ms)`,
        reference: `${MOST_MS} ms`,
        ratio: slow / MOST_MS,
        bar: { at: 'most', value: 1 },
      });
    } finally {
      await setting.stop();
    }
  }
  return rows;
}
