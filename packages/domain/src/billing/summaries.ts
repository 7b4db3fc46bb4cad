import type { Input, Output } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { pageNumber, pageOf } from '../kernel/page.ts';
import { invoiceOf, type StripeEvent, subscriptionOf } from '../kernel/ports/stripe.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type * as contract from './event-contract.ts';
import * as store from './store.ts';
import type { EventRow, IntentRow, RenewalRow, SummaryRow } from './tables.ts';

const nothing = {
  currency: null,
  stripeSubscriptionId: null,
  stripeInvoiceId: null,
  subscriptionStatus: null,
  subscriptionPeriodStart: null,
  subscriptionPeriodEnd: null,
  subscriptionCancelAt: null,
  invoiceAmountPaid: null,
  invoiceUnitAmount: null,
  invoiceUnitAmountDecimal: null,
  invoiceQuantity: null,
  invoiceCurrency: null,
};

/** A decimal text without its zeros at the end, as `250.0` was written. */
const wholeOf = (decimal: string | null): number | null => (decimal === null ? null : Math.trunc(Number(decimal)));

function fieldsOf({ type, object }: StripeEvent) {
  if (type.startsWith('invoice.')) {
    const invoice = invoiceOf(object);
    return {
      ...nothing,
      stripeSubscriptionId: invoice.subscriptionId,
      stripeInvoiceId: invoice.id,
      invoiceAmountPaid: invoice.amountPaid,
      invoiceUnitAmount: wholeOf(invoice.line?.unitAmountDecimal ?? null),
      invoiceUnitAmountDecimal: invoice.line?.unitAmountDecimal?.slice(0, 40) ?? null,
      invoiceQuantity: invoice.line?.quantity ?? null,
      invoiceCurrency: invoice.currency.slice(0, 3),
    };
  }
  const subscription = subscriptionOf(object);
  return {
    ...nothing,
    currency: subscription.currency?.slice(0, 3) ?? null,
    stripeSubscriptionId: subscription.id,
    subscriptionStatus: subscription.status,
    subscriptionPeriodStart: subscription.periodStart,
    subscriptionPeriodEnd: subscription.periodEnd,
    subscriptionCancelAt: subscription.cancelAt,
  };
}

/** The subscription that an event is about, with the metadata that name its intent. */
export function subscriptionIdIn({ type, object }: StripeEvent): {
  readonly id: string | null;
  readonly metadata: Readonly<Record<string, string>>;
} {
  if (!type.startsWith('invoice.')) return subscriptionOf(object);
  const { subscriptionId: id, metadata } = invoiceOf(object);
  return { id, metadata };
}

/** The plan of the trial, from the first renewal; never the paid plan. */
const trialPlanOf = (renewals: readonly RenewalRow[]): string | null =>
  renewals.at(-1)?.priorSubscriptionPlanUuid ?? null;

/** What an event says, in columns. */
export const summaryOf = (
  row: EventRow,
  event: StripeEvent,
  intent: IntentRow,
  renewals: readonly RenewalRow[],
  now: Date,
): SummaryRow => ({
  uuid: newUuid(),
  id: store.newNumber(),
  eventId: row.eventId,
  eventType: row.eventType,
  stripeEventCreatedAt: row.stripeCreated,
  checkoutIntentUuid: intent.uuid,
  enterpriseCustomerUuid: intent.enterpriseCustomerUuid,
  subscriptionPlanUuid: trialPlanOf(renewals),
  stripeObjectType: typeof event.object.object === 'string' ? event.object.object.slice(0, 50) : null,
  ...fieldsOf(event),
  upcomingInvoiceAmountDue: null,
  created: now,
  modified: now,
});

export async function list(
  { db }: Pick<Runtime, 'db'>,
  input: Input<typeof contract.listStripeEventSummaries>,
): Promise<Output<typeof contract.listStripeEventSummaries>> {
  const page = pageNumber(input);
  const slice = { offset: (page - 1) * input.pageSize, limit: input.pageSize };
  const { rows, count } = await store.summaryPage(db, input.subscriptionPlanUuid, slice);
  if (page > 1 && rows.length === 0) throw notFound({}, { message: 'Invalid page.' });
  const numbers = await store.numbersOf(
    db,
    rows.flatMap(({ checkoutIntentUuid }) => checkoutIntentUuid ?? []),
  );
  const items = rows.map(({ uuid: _uuid, checkoutIntentUuid, enterpriseCustomerUuid: _customer, ...row }) => ({
    ...row,
    stripeEventData: row.eventId,
    checkoutIntent: checkoutIntentUuid === null ? null : (numbers.get(checkoutIntentUuid) ?? null),
  }));
  return pageOf(input, items, count);
}

const CREATED = 'customer.subscription.created';
const UPDATED = 'customer.subscription.updated';

/** The next invoice of a plan and the end of its subscription. 404 if Stripe told of no subscription. */
export async function planInfo(
  { db }: Pick<Runtime, 'db'>,
  { subscriptionPlanUuid: plan }: Input<typeof contract.getPlanInfo>,
): Promise<Output<typeof contract.getPlanInfo>> {
  const renewal = await store.renewalOfPlan(db, plan);
  const first = await store.summaryPage(db, plan, { offset: 0, limit: 1 });
  const intentUuid = first.rows[0]?.checkoutIntentUuid ?? renewal?.checkoutIntentUuid ?? null;
  if (intentUuid === null) throw notFound({});
  const told = await store.summariesOfIntent(db, intentUuid, [CREATED, UPDATED]);
  const created = told.findLast(({ eventType }) => eventType === CREATED);
  const updated = told.find(({ eventType }) => eventType === UPDATED);
  if (!created && !updated) throw notFound({});
  return {
    upcomingInvoiceAmountDue: created?.upcomingInvoiceAmountDue ?? null,
    currency: created?.currency ?? updated?.currency ?? null,
    canceledDate: renewal?.subscriptionCancelAt ?? updated?.subscriptionCancelAt ?? null,
    checkoutIntentUuid: intentUuid,
    isCanceled: renewal?.isCanceled ?? false,
    renewedSubscriptionPlanUuid: renewal?.renewedSubscriptionPlanUuid ?? null,
  };
}
