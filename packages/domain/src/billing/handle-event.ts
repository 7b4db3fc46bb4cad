import { appendToOutbox, type Connection, type Transaction, transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import { enqueue, enqueueOnce, type JobRun } from '../kernel/jobs/job.ts';
import {
  eventOf,
  invoiceOf,
  type StripeEvent,
  type StripeInvoice,
  type StripeSubscription,
  subscriptionOf,
} from '../kernel/ports/stripe.ts';
import { orNull } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { stripeEventSeen } from '../kernel/telemetry.ts';
import { subscriptionEnded } from './events.ts';
import { alignPlans, type MailName, prepareSubscription, processRenewal, sendMail } from './job-contracts.ts';
import {
  ageOf,
  changesBetween,
  intentNamed,
  invoiceKind,
  isSameDay,
  paymentVerdict,
  planChange,
  renewalOf,
  type SubscriptionChange,
  wantsPlans,
  wasPaid,
} from './rules.ts';
import type { EventOutcome } from './states-contract.ts';
import * as store from './store.ts';
import { summaryOf } from './summaries.ts';
import {
  type EventRow,
  type IntentRow,
  type InvoiceRow,
  type RenewalRow,
  type SubscriptionRow,
  stripeEvents,
  stripeInvoices,
  stripeSubscriptions,
  subscriptionRenewals,
} from './tables.ts';
import { annotateIntent, moveIntent } from './transition.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'stripe' | 'log'>;

/** Two states of one second, of which Stripe was not asked which is newer; the next attempt asks. */
class InDoubt extends Error {
  override readonly name = 'InDoubt';
}

/** Another job has handled the event. */
class HandledBefore extends Error {
  override readonly name = 'HandledBefore';
}

export async function onHandleStripeEvent(
  { runtime }: JobRun,
  { eventId }: { readonly eventId: string },
): Promise<{ outcome: EventOutcome | 'handled before' | 'gone' }> {
  const row = await store.findEvent(runtime.db, eventId);
  const event = row && eventOf(row.data);
  if (!row || (!event && row.handledAt === null)) return { outcome: 'gone' };
  if (row.handledAt !== null || !event) return { outcome: 'handled before' };
  try {
    const outcome = await handle(runtime, row, event);
    stripeEventSeen.publish({ type: row.eventType, outcome });
    return { outcome };
  } catch (error) {
    if (error instanceof HandledBefore) return { outcome: 'handled before' };
    stripeEventSeen.publish({ type: row.eventType, outcome: 'failed' });
    const lastError = error instanceof Error ? error.name.slice(0, 255) : 'Error';
    await store.changeEvent(runtime.db, eventId, { lastError });
    throw error;
  }
}

const handle = (deps: Deps, row: EventRow, event: StripeEvent): Promise<EventOutcome> =>
  event.type.startsWith('invoice.') ? onInvoice(deps, row, event) : onSubscription(deps, row, event);

/** The intent of an object: by the uuid in its metadata, else by the number, else by the subscription (R-BILL-44). */
export async function intentOf(
  db: Connection,
  metadata: Readonly<Record<string, string>>,
  subscriptionId: string,
): Promise<IntentRow | undefined> {
  const named = intentNamed(metadata);
  if (named?.uuid) {
    const found = await store.findIntent(db, { uuid: named.uuid });
    if (found) return found;
  }
  if (named?.id) {
    const found = await store.findIntent(db, { id: named.id });
    if (found) return found;
  }
  const known = await store.findSubscription(db, subscriptionId);
  return known && store.findIntent(db, { uuid: known.checkoutIntentUuid });
}

/** Marks the event as handled, once; in the transaction of what follows from it. */
async function settle(
  trx: Transaction,
  row: EventRow,
  outcome: EventOutcome,
  intent: IntentRow | null,
  now: Date,
): Promise<void> {
  const settled = await trx(stripeEvents.table)
    .where({ event_id: row.eventId })
    .whereNull('handled_at')
    .update(
      stripeEvents.encode({
        outcome,
        handledAt: now,
        lastError: null,
        ...(intent
          ? { checkoutIntentUuid: intent.uuid, enterpriseCustomerUuid: intent.enterpriseCustomerUuid }
          : // Nothing of others is kept.
            { data: {}, scrubbedAt: now }),
      }),
    );
  if (settled === 0) throw new HandledBefore();
}

async function foreign({ db, clock }: Deps, row: EventRow): Promise<EventOutcome> {
  await transaction(db, (trx) => settle(trx, row, 'foreign', null, clock()));
  return 'foreign';
}

/** One mail about a purchase; enqueued once per occasion. */
export const mailOnce = (
  trx: Transaction,
  now: Date,
  intent: IntentRow,
  mail: MailName,
  about: { readonly occasion: string; readonly subscriptionId?: string; readonly invoiceId?: string },
): Promise<number> =>
  enqueueOnce(trx, now, sendMail, [
    {
      occasion: `${mail}:${about.occasion}`,
      payload: {
        mail,
        intentUuid: intent.uuid,
        subscriptionId: about.subscriptionId ?? null,
        invoiceId: about.invoiceId ?? null,
        occasion: about.occasion,
      },
      enterpriseCustomerUuid: intent.enterpriseCustomerUuid,
    },
  ]);

// Subscriptions

const isSame = (stored: SubscriptionRow, told: StripeSubscription): boolean =>
  stored.status === told.status &&
  stored.cancelAt?.getTime() === told.cancelAt?.getTime() &&
  stored.periodEnd?.getTime() === told.periodEnd?.getTime() &&
  stored.quantity === told.quantity &&
  stored.defaultPaymentMethod === told.defaultPaymentMethod;

/** What the event says, or the newest state where it is of the same second as the one that is stored. */
async function newestOf(
  deps: Deps,
  event: StripeEvent,
  told: StripeSubscription,
): Promise<[StripeSubscription, boolean]> {
  const stored = await store.findSubscription(deps.db, told.id);
  if (!stored || ageOf(event.created, stored.asOf) !== 'same second' || isSame(stored, told)) return [told, false];
  const live = await orNull(deps.stripe.subscription(told.id));
  return [live ?? told, true];
}

async function onSubscription(deps: Deps, row: EventRow, event: StripeEvent): Promise<EventOutcome> {
  const told = subscriptionOf(event.object);
  const found = await intentOf(deps.db, told.metadata, told.id);
  if (!found) return foreign(deps, row);
  const [newest, isAsked] = await newestOf(deps, event, told);
  return transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const locked = await store.lockIntent(trx, found.uuid);
    if (!locked) throw new InDoubt();
    const intent = await keepStripeIds(trx, locked, newest);
    const renewals = await store.renewalsOf(trx, intent.uuid);
    const stored = await store.findSubscription(trx, told.id);
    const age = ageOf(event.created, stored?.asOf ?? null);
    if (age === 'same second' && stored && !isAsked && !isSame(stored, newest)) throw new InDoubt();
    const outcome = age === 'older' ? 'stale' : 'applied';
    await settle(trx, row, outcome, intent, now);
    await store.putSummary(trx, summaryOf(row, event, intent, renewals, now));
    if (event.type === 'customer.subscription.created')
      await enqueue(trx, now, prepareSubscription, { subscriptionId: told.id, eventId: event.id, isNew: true });
    if (event.type === 'customer.subscription.trial_will_end') await remindOfTrial(trx, intent, told, now);
    if (outcome === 'applied') await applyState(trx, intent, newest, { at: event.created, id: event.id }, now);
    return outcome;
  });
}

/** The intent remembers who pays and by what. */
const keepStripeIds = async (trx: Transaction, row: IntentRow, told: StripeSubscription): Promise<IntentRow> =>
  row.stripeSubscriptionId === told.id && row.stripeCustomerId !== null
    ? row
    : annotateIntent(trx, row, {
        stripeSubscriptionId: row.stripeSubscriptionId ?? told.id,
        stripeCustomerId: row.stripeCustomerId ?? told.customerId,
      });

async function remindOfTrial(trx: Transaction, intent: IntentRow, told: StripeSubscription, now: Date): Promise<void> {
  if (told.trialEnd === null || told.trialEnd <= now) return;
  const occasion = `${told.id}:${told.trialEnd.toISOString()}`;
  await mailOnce(trx, now, intent, 'trialEndingSoon', { occasion, subscriptionId: told.id });
}

/** Stores the newest state of a subscription, with everything that follows from the difference. */
export async function applyState(
  trx: Transaction,
  intent: IntentRow,
  told: StripeSubscription,
  as: { readonly at: Date; readonly id: string },
  now: Date,
): Promise<SubscriptionChange[]> {
  const before = await store.lockSubscription(trx, told.id);
  const state = {
    stripeCustomerId: told.customerId,
    status: told.status,
    cancelAt: told.cancelAt,
    endedAt: told.endedAt,
    trialEnd: told.trialEnd,
    periodStart: told.periodStart,
    periodEnd: told.periodEnd,
    quantity: told.quantity,
    unitAmountDecimal: told.unitAmountDecimal,
    currency: told.currency,
    priceId: told.priceId,
    defaultPaymentMethod: told.defaultPaymentMethod,
    asOf: as.at,
    asOfEvent: as.id,
    modified: now,
  };
  if (before) await stripeSubscriptions.change(trx, before, { ...before, ...state });
  else
    await stripeSubscriptions.insert(trx, {
      uuid: newUuid(),
      stripeSubscriptionId: told.id,
      checkoutIntentUuid: intent.uuid,
      enterpriseCustomerUuid: intent.enterpriseCustomerUuid,
      ...state,
      created: now,
    });
  await tellRenewals(trx, intent, told, now);
  const changes = changesBetween(before ?? null, told);
  await follow(trx, intent, told, changes, as.id, now);
  const isPaid = wantsPlans(told.status);
  if ((await store.renewalsOf(trx, intent.uuid)).some((renewal) => planChange(renewal, isPaid) !== null))
    await enqueue(trx, now, alignPlans, { subscriptionId: told.id });
  return changes;
}

/** Renewals know when their subscription ends; nothing is written where nothing differs. */
async function tellRenewals(trx: Transaction, intent: IntentRow, told: StripeSubscription, now: Date): Promise<void> {
  for (const renewal of (await store.renewalsOf(trx, intent.uuid)).toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1))) {
    if (renewal.stripeSubscriptionId !== null && renewal.stripeSubscriptionId !== told.id) continue;
    const isCanceled = renewal.isCanceled || told.status === 'canceled';
    const isKnown =
      renewal.subscriptionCancelAt?.getTime() === told.cancelAt?.getTime() &&
      renewal.isCanceled === isCanceled &&
      renewal.stripeSubscriptionId === told.id;
    if (isKnown) continue;
    await subscriptionRenewals.change(trx, renewal, {
      ...renewal,
      stripeSubscriptionId: told.id,
      subscriptionCancelAt: told.cancelAt,
      isCanceled,
      modified: now,
    });
  }
}

async function follow(
  trx: Transaction,
  intent: IntentRow,
  told: StripeSubscription,
  changes: readonly SubscriptionChange[],
  occasion: string,
  now: Date,
): Promise<void> {
  const mail = (name: MailName) => mailOnce(trx, now, intent, name, { occasion, subscriptionId: told.id });
  for (const change of changes) {
    if (change === 'cancellation_scheduled')
      await mail(told.status === 'trialing' ? 'trialCancelled' : 'paidCancelled');
    if (change === 'cancellation_withdrawn') await mail('reinstated');
    if (change === 'payment_failed') await mail('billingError');
    if (change === 'payment_method_changed')
      await enqueue(trx, now, prepareSubscription, { subscriptionId: told.id, eventId: occasion, isNew: false });
    if (change === 'ended') {
      await appendToOutbox(trx, now, [subscriptionEnded(intent, told)]);
      if (wasPaid(told)) await mail('cancellationFinal');
    }
  }
}

// Invoices

async function onInvoice(deps: Deps, row: EventRow, event: StripeEvent): Promise<EventOutcome> {
  const told = invoiceOf(event.object);
  const found = told.subscriptionId === null ? undefined : await intentOf(deps.db, told.metadata, told.subscriptionId);
  if (!found || told.subscriptionId === null) return foreign(deps, row);
  const invoice = { ...told, subscriptionId: told.subscriptionId };
  if (event.type === 'invoice.created') return onInvoiceCreated(deps, row, event, found, invoice);
  return onInvoicePaid(deps, found, invoice, {
    paidAt: told.paidAt ?? event.created,
    eventId: event.id,
    settle: async (trx, outcome, intent, now) => {
      await settle(trx, row, outcome, intent, now);
      const renewals = await store.renewalsOf(trx, intent.uuid);
      await store.putSummary(trx, summaryOf(row, event, intent, renewals, now));
    },
  });
}

export type OurInvoice = StripeInvoice & { readonly subscriptionId: string };

const rowOf = (intent: IntentRow, invoice: OurInvoice, now: Date): InvoiceRow => ({
  uuid: newUuid(),
  stripeInvoiceId: invoice.id,
  stripeSubscriptionId: invoice.subscriptionId,
  checkoutIntentUuid: intent.uuid,
  enterpriseCustomerUuid: intent.enterpriseCustomerUuid,
  billingReason: invoice.billingReason,
  kind: null,
  amountPaidCents: 0,
  currency: invoice.currency,
  periodStart: invoice.line?.periodStart ?? null,
  paidAt: null,
  renewalUuid: null,
  created: now,
  modified: now,
});

const onInvoiceCreated = (
  deps: Deps,
  row: EventRow,
  event: StripeEvent,
  { uuid }: IntentRow,
  invoice: OurInvoice,
): Promise<EventOutcome> =>
  transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const intent = await store.lockIntent(trx, uuid);
    if (!intent) throw new InDoubt();
    const renewals = await store.renewalsOf(trx, uuid);
    await settle(trx, row, 'applied', intent, now);
    await store.putSummary(trx, summaryOf(row, event, intent, renewals, now));
    const match = renewals.find(
      ({ stripeInvoiceId, stripeSubscriptionId, effectiveDate }) =>
        stripeInvoiceId === null &&
        (stripeSubscriptionId === null || stripeSubscriptionId === invoice.subscriptionId) &&
        isSameDay(effectiveDate, invoice.line?.periodStart ?? null),
    );
    if (match && invoice.billingReason === 'subscription_cycle')
      await subscriptionRenewals.change(trx, match, {
        ...match,
        stripeInvoiceId: invoice.id,
        stripeSubscriptionId: invoice.subscriptionId,
        modified: now,
      });
    if (!(await store.findInvoice(trx, invoice.id))) await stripeInvoices.insert(trx, rowOf(intent, invoice, now));
    return 'applied' as const;
  });

interface Payment {
  readonly paidAt: Date;
  readonly eventId: string | null;
  /** What else belongs into the transaction. */
  readonly settle: (trx: Transaction, outcome: EventOutcome, intent: IntentRow, now: Date) => Promise<void>;
}

/** End of the trial, which tells the first paid period; asked of Stripe when no event of the subscription was seen. */
async function trialEndOf(deps: Deps, invoice: OurInvoice): Promise<Date | null> {
  const stored = await store.findSubscription(deps.db, invoice.subscriptionId);
  if (stored || invoice.amountPaid <= 0) return stored?.trialEnd ?? null;
  return (await orNull(deps.stripe.subscription(invoice.subscriptionId)))?.trialEnd ?? null;
}

/** R-BILL-41, R-BILL-70, R-BILL-71: what follows from a paid invoice, once, whatever the order of events. */
export async function onInvoicePaid(
  deps: Deps,
  found: IntentRow,
  invoice: OurInvoice,
  payment: Payment,
): Promise<EventOutcome> {
  const trialEnd = await trialEndOf(deps, invoice);
  const work = (canReserve: boolean) =>
    transaction(deps.db, (trx) => recordPayment(trx, deps, found, invoice, payment, { trialEnd, canReserve }));
  try {
    return await work(true);
  } catch (error) {
    if (!(error instanceof store.ReservationTaken)) throw error;
    // It was paid in time, but meanwhile somebody else has the slug: people have to decide. Reconciliation reports it.
    deps.log.error({ intent: found.uuid }, 'a purchase was paid whose slug or name belongs to another one by now');
    return work(false);
  }
}

async function recordPayment(
  trx: Transaction,
  deps: Deps,
  { uuid }: IntentRow,
  invoice: OurInvoice,
  payment: Payment,
  { trialEnd, canReserve }: { readonly trialEnd: Date | null; readonly canReserve: boolean },
): Promise<EventOutcome> {
  const now = deps.clock();
  let intent = await store.lockIntent(trx, uuid);
  if (!intent) throw new InDoubt();
  const verdict = paymentVerdict(intent, { customerId: invoice.customerId, paidAt: payment.paidAt });
  const isMarked = verdict === 'mark' && (canReserve || intent.state === 'created');
  if (isMarked) {
    const changes = {
      stripeCustomerId: invoice.customerId ?? intent.stripeCustomerId,
      stripeSubscriptionId: invoice.subscriptionId,
    };
    intent = await moveIntent(trx, intent, { to: 'paid', by: 'stripe', changes }, now);
  }
  const outcome = verdict === 'known' || isMarked ? 'applied' : 'refused';
  if (outcome === 'refused')
    deps.log.warn({ intent: uuid, verdict }, 'an invoice was paid that the intent cannot take');
  await payment.settle(trx, outcome, intent, now);
  if (verdict === 'other_customer') return outcome;
  await recordInvoice(trx, intent, invoice, payment, trialEnd, now);
  return outcome;
}

async function recordInvoice(
  trx: Transaction,
  intent: IntentRow,
  invoice: OurInvoice,
  payment: Payment,
  trialEnd: Date | null,
  now: Date,
): Promise<void> {
  const before = await store.findInvoice(trx, invoice.id);
  // Paid before: its receipt and its renewal are on their way.
  if (before?.paidAt) return;
  const kind = invoiceKind(invoice, trialEnd);
  const renewals = await store.renewalsOf(trx, intent.uuid);
  const periodStart = invoice.line?.periodStart ?? null;
  const renewal = renewalOf(renewals, { id: invoice.id, kind, periodStart });
  const paid = {
    ...(before ?? rowOf(intent, invoice, now)),
    kind,
    billingReason: invoice.billingReason,
    amountPaidCents: invoice.amountPaid,
    periodStart,
    paidAt: payment.paidAt,
    renewalUuid: renewal?.uuid ?? null,
    modified: now,
  };
  if (renewal) await setInMotion(trx, renewal, paid, payment.eventId, now);
  if (before) await stripeInvoices.change(trx, before, paid);
  else await stripeInvoices.insert(trx, paid);
  if (invoice.amountPaid > 0)
    await mailOnce(trx, now, intent, 'receipt', { occasion: invoice.id, invoiceId: invoice.id });
}

/** Ties a paid invoice to its renewal, which is then processed once. */
export async function setInMotion(
  trx: Transaction,
  renewal: RenewalRow,
  invoice: Pick<InvoiceRow, 'stripeInvoiceId' | 'stripeSubscriptionId'>,
  eventId: string | null,
  now: Date,
): Promise<void> {
  await subscriptionRenewals.change(trx, renewal, {
    ...renewal,
    stripeInvoiceId: invoice.stripeInvoiceId,
    stripeSubscriptionId: invoice.stripeSubscriptionId,
    eventId: eventId ?? renewal.eventId,
    modified: now,
  });
  if (renewal.processedAt === null) await enqueue(trx, now, processRenewal, { renewalUuid: renewal.uuid });
  else await enqueue(trx, now, alignPlans, { subscriptionId: invoice.stripeSubscriptionId });
}
