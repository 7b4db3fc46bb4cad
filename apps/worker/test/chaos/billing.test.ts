import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { transaction } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { receiveStripeEvent } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { type StripeEvent, signatureOf, startSandbox, WEBHOOK_SECRET } from '@enterprise-access/sandbox';
import { sandboxBilling, sandboxMail, seedDemonstration } from '@enterprise-access/start/demonstration';
import { describe, expect, inject, test, vi } from 'vitest';
import { recordRenewal } from '../../../../packages/domain/src/billing/index.ts';
import { beginIntent } from '../../../../packages/domain/src/billing/transition.ts';
import { settingsFor, startWorkerProcess } from '../support/processes.ts';
import { passMinute } from '../support/time.ts';

const DAY_MS = 86_400_000;
const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const SUBSCRIPTIONS = Number(process.env.STORM_SUBSCRIPTIONS ?? 40);
const KILLS = Number(process.env.STORM_KILLS ?? 4);

const shuffled = <T>(all: readonly T[]): T[] =>
  all
    .map((value) => ({ value, at: randomInt(1_000_000) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ value }) => value);

/** A storm of events: repeated, out of order, while workers are killed. */
async function storm(dialect: (typeof dialects)[number]) {
  const [business, queues, sandbox] = await Promise.all([
    createTestDatabase(inject('servers'), dialect, 10),
    createTestDatabase(inject('servers'), 'postgres', 2),
    startSandbox({}),
  ]);
  const { db } = business;
  await seedDemonstration(db);
  const life = sandbox.state.stripeLife;
  const runtime = testRuntime(db, emptyWorld(), { clock: () => new Date() });
  const world = { db, queues: queues.db };
  const startWorker = () =>
    startWorkerProcess({
      ...settingsFor(business.url, queues.url, sandbox.url),
      ...sandboxMail(sandbox.url),
      ...sandboxBilling(sandbox.url),
      JOBS_CONCURRENCY: '20',
      LOG_LEVEL: 'fatal',
    });

  const intents = Array.from({ length: SUBSCRIPTIONS }, (_, at) => ({
    uuid: randomUUID(),
    renewalId: at + 1,
    plan: randomUUID(),
  }));
  const subscriptions = new Map<string, string>();
  for (const [at, { uuid, renewalId, plan }] of intents.entries()) {
    const now = new Date();
    const [userId] = await db('users')
      .insert(
        {
          username: `storm-${at}`,
          email: `storm-${at}@demo.example`,
          lms_user_id: 5_000 + at,
          is_active: true,
          created: now,
          modified: now,
        },
        ['id'],
      )
      .then((rows) => rows.map((row: { id: number } | number) => (typeof row === 'number' ? row : row.id)));
    const quantity = 5 + (at % 10);
    await transaction(db, (trx) =>
      beginIntent(trx, {
        uuid,
        id: 10_000 + at,
        userId: userId ?? 0,
        enterpriseCustomerUuid: null,
        sspProduct: 'teams-yearly',
        productLine: 'teams',
        stripeProductId: '',
        state: 'created',
        enterpriseName: `Storm ${at}`,
        enterpriseSlug: `storm-${at}`,
        stripeCustomerId: null,
        stripeSubscriptionId: null,
        expiresAt: new Date(now.getTime() + DAY_MS),
        stripeCheckoutSessionId: null,
        checkoutFingerprint: null,
        quantity,
        country: null,
        lastCheckoutError: null,
        lastProvisioningError: null,
        workflowUuid: null,
        termsMetadata: null,
        created: now,
        modified: now,
      }),
    );
    const session = life.newSession({ customer_email: `storm-${at}@demo.example` });
    const order = { price: 'price_teams_yearly', quantity, trialDays: 14, metadata: { checkout_intent_uuid: uuid } };
    const { id, trial_end: trialEnd } = life.pay(session.id, order, { fails: at % 5 === 4 });
    subscriptions.set(uuid, id);
    await transaction(db, (trx) =>
      recordRenewal(trx, runtime, {
        intentUuid: uuid,
        subscriptionPlanRenewalId: renewalId,
        priorSubscriptionPlanUuid: null,
        renewedSubscriptionPlanUuid: plan,
        effectiveDate: new Date(Number(trialEnd) * 1_000),
      }),
    );
  }
  const all = [...subscriptions.values()];
  life.advance(2 * DAY_MS);
  for (const [at, id] of all.entries()) if (at % 3 === 0) life.setCancellation(id, true);
  life.advance(DAY_MS);
  for (const [at, id] of all.entries()) if (at % 6 === 0) life.setCancellation(id, false);
  life.advance(13 * DAY_MS);
  for (const [at, id] of all.entries()) if (at % 10 === 4) life.setCard(id, {});

  const { stripe } = sandbox.state;
  const deliveries = shuffled(stripe.events.flatMap((event) => Array.from({ length: randomInt(1, 4) }, () => event)));
  const send = async (event: StripeEvent): Promise<void> => {
    const body = JSON.stringify(event);
    const signature = signatureOf(body, WEBHOOK_SECRET, new Date());
    await receiveStripeEvent(runtime, Buffer.from(body), signature);
  };
  const sendAll = async () => {
    const queue = [...deliveries];
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let event = queue.pop(); event; event = queue.pop()) await send(event);
      }),
    );
  };
  const killAll = async () => {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const worker = await startWorker();
      await sleep(1_500);
      await worker.kill();
      await passMinute(world);
    }
  };
  await Promise.all([sendAll(), killAll()]);

  const worker = await startWorker();
  const isQuiet = async () => {
    expect(await db('stripe_events').whereNull('handled_at').pluck('event_type')).toEqual([]);
    expect(await db('outbox').where({ kind: 'job' }).whereNull('sent').pluck('name')).toEqual([]);
    const waiting = await queues
      .db('pgboss.job')
      .whereIn('state', ['created', 'active', 'retry'])
      .where('name', 'like', 'billing.%');
    // Those of the schedules come every minute.
    const scheduled = ['billing.expireIntents', 'billing.markStalled'];
    expect(
      waiting
        .filter(({ name }: { name: string }) => !scheduled.includes(name))
        .map(({ name }: { name: string }) => name),
    ).toEqual([]);
  };
  await vi.waitFor(isQuiet, { timeout: 180_000, interval: 500 });
  await worker.stop();
  return {
    db,
    stripe,
    intents,
    subscriptions,
    licenses: sandbox.state.licenses,
    mails: sandbox.state.braze.mails,
    deliveries: deliveries.length,
    async close() {
      await sandbox.close();
      await Promise.all([business.drop(), queues.drop()]);
    },
  };
}

describe.each(dialects)('a storm of events of Stripe on %s', { timeout: 600_000 }, (dialect) => {
  test('ends in the states that Stripe has; every renewal, plan and receipt once', async ({ annotate }) => {
    const world = await storm(dialect);
    try {
      const { db, stripe, intents, subscriptions, licenses, mails } = world;
      await annotate(`${stripe.events.length} events, ${world.deliveries} deliveries, ${KILLS} kills`);
      for (const { uuid, renewalId, plan } of intents) {
        const live = stripe.subscriptions.get(subscriptions.get(uuid) ?? '') ?? expect.unreachable();
        const stored = await db('stripe_subscriptions').where({ checkout_intent_uuid: uuid }).first();
        expect(stored).toMatchObject({ status: live.status, stripe_subscription_id: live.id });
        expect(stored.cancel_at?.getTime() ?? null).toBe(live.cancel_at === null ? null : live.cancel_at * 1_000);
        const own = [...stripe.invoices.values()].filter(
          ({ subscription, status }) => subscription === live.id && status === 'paid',
        );
        const books = await db('stripe_invoices').where({ checkout_intent_uuid: uuid }).whereNotNull('paid_at');
        expect(books.map(({ stripe_invoice_id: id }) => id).sort()).toEqual(own.map(({ id }) => id).sort());
        const isPaid = own.some(({ amount_paid: amount }) => amount > 0);
        const renewal = await db('subscription_renewals').where({ checkout_intent_uuid: uuid }).first();
        expect(renewal.processed_at !== null).toBe(isPaid);
        expect(licenses.calls.filter((call) => call === `renewal ${renewalId}`)).toHaveLength(isPaid ? 1 : 0);
        const isOff = ['past_due', 'canceled'].includes(live.status);
        if (isOff || isPaid) expect(licenses.plans.get(plan)).toBe(!isOff);
        expect((await db('checkout_intents').where({ uuid }).first('state')).state).toMatch(
          /^(paid|errored_fulfillment_stalled)$/,
        );
        const receipts = mails.filter(
          ({ campaignId, triggerProperties }) =>
            /RECEIPT/.test(campaignId) &&
            own.some(({ number }) => (triggerProperties as { receipt_number: string }).receipt_number === number),
        );
        expect(receipts).toHaveLength(own.filter(({ amount_paid: amount }) => amount > 0).length);
      }
    } finally {
      await world.close();
    }
  });
});
