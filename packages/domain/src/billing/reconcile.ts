import { type Transaction, transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import { enqueue, type JobRun } from '../kernel/jobs/job.ts';
import type { StripeSubscription } from '../kernel/ports/stripe.ts';
import { orNull } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { applyState, intentOf, type OurInvoice, onInvoicePaid } from './handle-event.ts';
import { type fetchEvents, processRenewal, type reconcile } from './job-contracts.ts';
import { matchPayments } from './renewals.ts';
import { intentNamed, isRunning } from './rules.ts';
import * as store from './store.ts';
import { type IntentRow, type SubscriptionRow, stripeEvents, stripeInvoices, subscriptionRenewals } from './tables.ts';
import { handledKinds, takeIn } from './webhook.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const EVENTS_PER_PAGE = 100;
const PAID_INVOICES = 100;
/** State that was read and not told: every event is newer. */
const BEGINNING = new Date(0);

type Drift = z.infer<typeof reconcile.result>;

/** Subscriptions of the account, page by page. */
async function* subscriptionsSince(
  { stripe }: Pick<Runtime, 'stripe'>,
  since: Date,
): AsyncGenerator<StripeSubscription> {
  for (let after: string | null = null; ; ) {
    const page: Awaited<ReturnType<typeof stripe.subscriptionsSince>> = await stripe.subscriptionsSince(since, after);
    yield* page.items;
    after = page.items.at(-1)?.id ?? null;
    if (!page.hasMore || after === null) return;
  }
}

const differs = (stored: SubscriptionRow | undefined, live: StripeSubscription): boolean =>
  !stored ||
  stored.status !== live.status ||
  stored.cancelAt?.getTime() !== live.cancelAt?.getTime() ||
  stored.periodEnd?.getTime() !== live.periodEnd?.getTime() ||
  stored.quantity !== live.quantity;

/**
 * Compares what is stored with Stripe and the renewals with their payments. Every difference is counted; what can be
 * repaired is, by the same code that handles events.
 */
export async function onReconcile(run: JobRun, { sinceDays }: z.infer<typeof reconcile.payload>): Promise<Drift> {
  const { runtime, dryRun, signal } = run;
  const since = new Date(runtime.clock().getTime() - sinceDays * DAY_MS);
  const drift: Drift = {
    subscriptions: 0,
    foreign: 0,
    missingEvents: 0,
    staleSubscriptions: 0,
    unpaidIntents: 0,
    openRenewals: 0,
    missingRenewals: 0,
    repaired: 0,
  };
  if (!runtime.stripe.isOn) return drift;
  const missing = await missingEvents(run, { since, limit: Number.POSITIVE_INFINITY });
  drift.missingEvents = missing.stored;
  for await (const live of subscriptionsSince(runtime, since)) {
    signal.throwIfAborted();
    const intent = intentNamed(live.metadata) && (await intentOf(runtime.db, live.metadata, live.id));
    if (!intent) drift.foreign += 1;
    else {
      drift.subscriptions += 1;
      await compare(runtime, intent, live, drift, dryRun);
    }
  }
  await compareRenewals(runtime, drift, dryRun);
  return drift;
}

async function compare(
  runtime: Runtime,
  intent: IntentRow,
  live: StripeSubscription,
  drift: Drift,
  dryRun: boolean,
): Promise<void> {
  const { db, clock, log } = runtime;
  const stored = await store.findSubscription(db, live.id);
  if (differs(stored, live)) {
    drift.staleSubscriptions += 1;
    log.warn({ intent: intent.uuid, subscription: live.id }, 'the stored state of a subscription differs from Stripe');
    if (!dryRun) {
      await transaction(db, async (trx) => {
        const row = await store.lockIntent(trx, intent.uuid);
        const as = { at: stored?.asOf ?? BEGINNING, id: `reconcile:${live.id}` };
        if (row) await applyState(trx, row, live, as, clock());
      });
      drift.repaired += 1;
    }
  }
  if ((intent.state !== 'created' && intent.state !== 'expired') || !isRunning(live.status)) return;
  drift.unpaidIntents += 1;
  log.warn({ intent: intent.uuid, subscription: live.id }, 'an intent is paid at Stripe and not here');
  if (!dryRun && (await payFrom(runtime, intent, live))) drift.repaired += 1;
}

/** Takes paid invoices of a subscription in that no event brought. */
async function payFrom(runtime: Runtime, intent: IntentRow, live: StripeSubscription): Promise<boolean> {
  const { items } = await runtime.stripe.invoicesOf(live.customerId, { limit: PAID_INVOICES, status: 'paid' });
  const paid = items
    .filter((invoice): invoice is OurInvoice => invoice.subscriptionId === live.id)
    .toSorted((a, b) => a.created.getTime() - b.created.getTime());
  let isMarked = false;
  for (const invoice of paid) {
    const outcome = await onInvoicePaid(runtime, intent, invoice, {
      paidAt: invoice.paidAt ?? invoice.created,
      eventId: null,
      settle: async () => undefined,
    });
    isMarked ||= outcome === 'applied';
  }
  return isMarked;
}

/** Paid periods without a renewal, and renewals that were paid for and not processed. */
async function compareRenewals(runtime: Runtime, drift: Drift, dryRun: boolean): Promise<void> {
  const { db, clock, log } = runtime;
  const unrenewed: { intent: string }[] = await db(stripeInvoices.table)
    .whereIn('kind', ['first_period', 'later_period'])
    .whereNull('renewal_uuid')
    .select({ intent: 'checkout_intent_uuid' });
  drift.missingRenewals = unrenewed.length;
  for (const intentUuid of new Set(unrenewed.map(({ intent }) => intent))) {
    log.warn({ intent: intentUuid }, 'a period was paid that no renewal belongs to');
    if (!dryRun)
      drift.repaired += await transaction(db, async (trx) => {
        const intent = await store.lockIntent(trx, intentUuid);
        return intent ? matchPayments(trx, intent, clock()) : 0;
      });
  }
  const open: string[] = await db(`${subscriptionRenewals.table} as r`)
    .join(`${stripeInvoices.table} as i`, 'i.renewal_uuid', 'r.uuid')
    .whereNull('r.processed_at')
    .whereNotNull('i.paid_at')
    .pluck('r.uuid');
  drift.openRenewals = open.length;
  if (dryRun) return;
  for (const renewalUuid of open)
    await transaction(db, (trx: Transaction) => enqueue(trx, clock(), processRenewal, { renewalUuid }));
  drift.repaired += open.length;
}

/** Events of Stripe that were never delivered, oldest first. */
async function missingEvents(
  { runtime, dryRun, signal }: JobRun,
  { since, type, limit }: { readonly since?: Date; readonly type?: string | undefined; readonly limit: number },
) {
  const result = { fetched: 0, stored: 0, repeated: 0, unknown: 0 };
  const found: Awaited<ReturnType<typeof runtime.stripe.events>>['items'][number][] = [];
  for (let after: string | undefined; found.length < limit; ) {
    signal.throwIfAborted();
    const page = await runtime.stripe.events({
      limit: Math.min(EVENTS_PER_PAGE, limit - found.length),
      ...(type === undefined ? {} : { type }),
      ...(since === undefined ? {} : { since }),
      ...(after === undefined ? {} : { after }),
    });
    found.push(...page.items);
    after = page.items.at(-1)?.id;
    if (!page.hasMore || after === undefined) break;
  }
  result.fetched = found.length;
  for (const event of found.reverse()) {
    if (dryRun) {
      const isKnown = await runtime.db(stripeEvents.table).where({ event_id: event.id }).first('event_id');
      if (!handledKinds.has(event.type)) result.unknown += 1;
      else if (isKnown) result.repeated += 1;
      else result.stored += 1;
    } else result[await takeIn(runtime, event)] += 1;
  }
  return result;
}

export const onFetchEvents = (
  run: JobRun,
  { eventType, limit, createdSinceHoursAgo }: z.infer<typeof fetchEvents.payload>,
) =>
  missingEvents(run, {
    limit,
    type: eventType,
    ...(createdSinceHoursAgo === undefined
      ? {}
      : { since: new Date(run.runtime.clock().getTime() - createdSinceHoursAgo * HOUR_MS) }),
  });

/** Operators write the product of an intent to the metadata of its subscription. */
export async function onTagSubscriptions(
  { runtime, dryRun, signal }: JobRun,
  { intentUuid }: { readonly intentUuid?: string | undefined },
): Promise<{ updated: number; skipped: number; errors: number }> {
  const { db, stripe, log } = runtime;
  const done = { updated: 0, skipped: 0, errors: 0 };
  for (let page = 0; ; page += 1) {
    signal.throwIfAborted();
    const { rows } = await store.intentPage(db, {}, { offset: page * 100, limit: 100 });
    for (const row of rows) {
      if (intentUuid !== undefined && row.uuid !== intentUuid) continue;
      const id = row.stripeSubscriptionId;
      const live = id === null ? null : await orNull(stripe.subscription(id)).catch(() => undefined);
      if (live === undefined) done.errors += 1;
      else if (!live || live.metadata.ssp_product_slug === row.sspProduct) done.skipped += 1;
      else {
        const metadata = { ssp_product_slug: row.sspProduct };
        try {
          if (!dryRun) await stripe.setSubscriptionMetadata(live.id, metadata, `tag:${live.id}:${row.sspProduct}`);
          done.updated += 1;
        } catch (err) {
          log.error({ err, intent: row.uuid }, 'the product could not be written to a subscription');
          done.errors += 1;
        }
      }
    }
    if (rows.length < 100) return done;
  }
}
