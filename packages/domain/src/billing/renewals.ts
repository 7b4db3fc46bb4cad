import { type Transaction, transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import { enqueue, type JobRun } from '../kernel/jobs/job.ts';
import { UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { mailOnce, setInMotion } from './handle-event.ts';
import { alignPlans } from './job-contracts.ts';
import { planChange, renewalOf, wantsPlans } from './rules.ts';
import * as store from './store.ts';
import {
  type IntentRow,
  type RenewalRow,
  stripeEventSummaries,
  stripeInvoices,
  subscriptionRenewals,
} from './tables.ts';

/** Lets the licence service process a renewal; the payment has found it before. */
export async function onProcessRenewal(
  { runtime }: JobRun,
  { renewalUuid }: { readonly renewalUuid: string },
): Promise<{ outcome: 'processed' | 'processed before' | 'refused' | 'gone' }> {
  const { db, clock, subscriptions, log } = runtime;
  const renewal = await store.findRenewal(db, renewalUuid);
  if (!renewal) return { outcome: 'gone' };
  if (renewal.processedAt !== null) return { outcome: 'processed before' };
  // It can be repeated: a renewal that is processed stays so.
  if ((await subscriptions.processRenewal(renewal.subscriptionPlanRenewalId)) === 'refused') {
    log.error({ renewal: renewalUuid }, 'the licence service refuses to process a renewal that was paid for');
    return { outcome: 'refused' };
  }
  await transaction(db, async (trx) => {
    const now = clock();
    const intent = await store.lockIntent(trx, renewal.checkoutIntentUuid);
    const row = await store.lockRenewal(trx, renewalUuid);
    if (!intent || !row || row.processedAt !== null) return;
    await subscriptionRenewals.change(trx, row, { ...row, processedAt: now, modified: now }, 'processed');
    if (row.stripeSubscriptionId === null) return;
    await enqueue(trx, now, alignPlans, { subscriptionId: row.stripeSubscriptionId });
    await mailOnce(trx, now, intent, 'subscriptionStarted', {
      occasion: row.uuid,
      subscriptionId: row.stripeSubscriptionId,
      ...(row.stripeInvoiceId === null ? {} : { invoiceId: row.stripeInvoiceId }),
    });
  });
  return { outcome: 'processed' };
}

/**
 * R-BILL-52: the plans of a subscription that is not paid are inactive, and active again once it is. What counts is the
 * newest state at this moment, so it does not matter how often and in which order this runs.
 */
export async function onAlignPlans(
  { runtime }: JobRun,
  { subscriptionId }: { readonly subscriptionId: string },
): Promise<{ activated: number; deactivated: number; refused: number }> {
  const { db, clock, subscriptions, log } = runtime;
  const result = { activated: 0, deactivated: 0, refused: 0 };
  const subscription = await store.findSubscription(db, subscriptionId);
  if (!subscription) return result;
  const isPaid = wantsPlans(subscription.status);
  for (const renewal of await store.renewalsOf(db, subscription.checkoutIntentUuid)) {
    const state = planChange(renewal, isPaid);
    const plan = renewal.renewedSubscriptionPlanUuid;
    if (state === null || plan === null) continue;
    if ((await subscriptions.setPlanActive(plan, state === 'active')) === 'refused') {
      log.error({ plan, state }, 'the licence service refuses to change a plan');
      result.refused += 1;
      continue;
    }
    await transaction(db, async (trx) => {
      const row = await store.lockRenewal(trx, renewal.uuid);
      if (row) await subscriptionRenewals.change(trx, row, { ...row, planState: state, modified: clock() });
    });
    if (state === 'active') result.activated += 1;
    else result.deactivated += 1;
  }
  return result;
}

/** R-BILL-51, and the amount of the next invoice for the summary of the event. */
export async function onPrepareSubscription(
  { runtime }: JobRun,
  {
    subscriptionId,
    eventId,
    isNew,
  }: { readonly subscriptionId: string; readonly eventId: string; readonly isNew: boolean },
): Promise<{ outcome: 'prepared' | 'refused' }> {
  const { db, clock, stripe, log } = runtime;
  try {
    const { customerId } = await stripe.requirePayment(subscriptionId, `prepare:${subscriptionId}:${eventId}`);
    if (!isNew) return { outcome: 'prepared' };
    const amount = await stripe.upcomingAmount(customerId, subscriptionId);
    await db(stripeEventSummaries.table)
      .where({ event_id: eventId })
      .update(stripeEventSummaries.encode({ upcomingInvoiceAmountDue: amount, modified: clock() }));
    return { outcome: 'prepared' };
  } catch (error) {
    if (!(error instanceof UpstreamRefusal)) throw error;
    // A subscription that has ended meanwhile cannot be changed.
    log.warn({ err: error, subscription: subscriptionId }, 'Stripe refuses to prepare a subscription');
    return { outcome: 'refused' };
  }
}

/** A renewal as provisioning has made it in the licence service. */
export interface MadeRenewal {
  readonly intentUuid: string;
  readonly subscriptionPlanRenewalId: number;
  readonly priorSubscriptionPlanUuid: string | null;
  readonly renewedSubscriptionPlanUuid: string | null;
  /** When it is due: the end of the trial, or of the period before. */
  readonly effectiveDate: Date | null;
}

/** Remembers a renewal, and ties it to a payment that came before it (R-BILL-54). Can be repeated. */
export async function recordRenewal(
  trx: Transaction,
  { clock }: Pick<Runtime, 'clock'>,
  made: MadeRenewal,
): Promise<RenewalRow> {
  const now = clock();
  const intent = await store.lockIntent(trx, made.intentUuid);
  if (!intent) throw new Error('There is no such checkout intent.');
  if (made.priorSubscriptionPlanUuid !== null)
    await store.setPlanOfSummaries(trx, intent.uuid, made.priorSubscriptionPlanUuid, now);
  const renewal = await putRenewal(trx, intent, made, now);
  await matchPayments(trx, intent, now);
  const subscription = await store.subscriptionOfIntent(trx, intent.uuid);
  if (subscription && !wantsPlans(subscription.status))
    await enqueue(trx, now, alignPlans, { subscriptionId: subscription.stripeSubscriptionId });
  return renewal;
}

async function putRenewal(
  trx: Transaction,
  intent: IntentRow,
  { intentUuid: _intent, ...made }: MadeRenewal,
  now: Date,
): Promise<RenewalRow> {
  const before = (await store.renewalsOf(trx, intent.uuid)).find(
    ({ subscriptionPlanRenewalId }) => subscriptionPlanRenewalId === made.subscriptionPlanRenewalId,
  );
  if (before) {
    const after = { ...before, ...made, modified: now };
    await subscriptionRenewals.change(trx, before, after);
    return after;
  }
  const subscription = await store.subscriptionOfIntent(trx, intent.uuid);
  const row: RenewalRow = {
    uuid: newUuid(),
    checkoutIntentUuid: intent.uuid,
    enterpriseCustomerUuid: intent.enterpriseCustomerUuid,
    ...made,
    eventId: subscription?.asOfEvent ?? null,
    stripeSubscriptionId: subscription?.stripeSubscriptionId ?? intent.stripeSubscriptionId,
    stripeInvoiceId: null,
    processedAt: null,
    isCanceled: subscription?.status === 'canceled',
    subscriptionCancelAt: subscription?.cancelAt ?? null,
    planState: null,
    created: now,
    modified: now,
  };
  await subscriptionRenewals.insert(trx, row);
  return row;
}

/** Payments for periods that came before their renewals find them now. Returns how many did. */
export async function matchPayments(trx: Transaction, intent: IntentRow, now: Date): Promise<number> {
  let matched = 0;
  for (const invoice of await store.unrenewedInvoices(trx, intent.uuid)) {
    const { stripeInvoiceId: id, kind, periodStart } = invoice;
    if (kind === null) continue;
    const renewal = renewalOf(await store.renewalsOf(trx, intent.uuid), { id, kind, periodStart });
    if (!renewal) continue;
    await setInMotion(trx, renewal, invoice, null, now);
    await stripeInvoices.change(trx, invoice, { ...invoice, renewalUuid: renewal.uuid, modified: now });
    matched += 1;
  }
  return matched;
}
