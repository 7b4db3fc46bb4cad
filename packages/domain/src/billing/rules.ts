import type { StripeInvoice, StripeSubscription } from '../kernel/ports/stripe.ts';
import type { InvoiceKind, State, Trigger } from './states-contract.ts';

type Table = Readonly<Record<State, Readonly<Partial<Record<State, readonly Trigger[]>>>>>;

/** Every transition of a checkout intent with what may cause it; nothing else sets a state. */
export const transitions: Table = {
  created: {
    created: ['buyer', 'staff'],
    paid: ['staff', 'stripe'],
    expired: ['buyer', 'staff', 'sweep'],
  },
  paid: {
    paid: ['buyer', 'staff', 'stripe'],
    fulfilled: ['staff', 'provisioning'],
    errored_backoffice: ['staff'],
    errored_fulfillment_stalled: ['staff', 'sweep'],
    errored_provisioning: ['staff', 'provisioning'],
  },
  fulfilled: { fulfilled: ['buyer', 'staff', 'provisioning'] },
  errored_backoffice: { errored_backoffice: ['buyer', 'staff'], fulfilled: ['staff', 'provisioning'] },
  errored_fulfillment_stalled: {
    errored_fulfillment_stalled: ['buyer', 'staff'],
    fulfilled: ['staff', 'provisioning'],
  },
  errored_provisioning: {
    errored_provisioning: ['buyer', 'staff', 'provisioning'],
    fulfilled: ['staff', 'provisioning'],
  },
  expired: {
    expired: ['buyer', 'staff'],
    created: ['buyer', 'staff'],
    // Paid in time, and Stripe told us late.
    paid: ['stripe'],
  },
};

export const canMove = (from: State, to: State, by: Trigger): boolean => transitions[from][to]?.includes(by) ?? false;

/** States of an intent that the buyer gets back as it is (R-BILL-11). */
export const isSuccess = (state: State): boolean => state === 'paid' || state === 'fulfilled';

/** States that the buyer cannot leave (R-BILL-11). */
export const isFailure = (state: State): boolean => state.startsWith('errored_');

/** States in which provisioning can fulfil an intent. */
export const fulfillable: readonly State[] = [
  'paid',
  'errored_backoffice',
  'errored_fulfillment_stalled',
  'errored_provisioning',
];

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

/** R-BILL-01: the end of a reservation. */
export const reservationEnd = (now: Date, minutes: number): Date => new Date(now.getTime() + minutes * MINUTE_MS);

/** R-BILL-55: text of an intent that was paid and not provisioned in time. */
export const stalledMessage = (modified: Date, now: Date, thresholdSeconds: number): string =>
  `Fulfillment stalled for ${Math.floor((now.getTime() - modified.getTime()) / SECOND_MS)} seconds (threshold: ${thresholdSeconds}s). Last modified: ${modified.toISOString()}. Provisioning workflow may have failed without proper error handling.`;

/** The part of an intent that decides about a payment. */
export interface PayableIntent {
  readonly state: State;
  readonly stripeCustomerId: string | null;
  readonly expiresAt: Date;
}

/**
 * R-BILL-41: whether a paid invoice makes the intent paid, finds it paid, comes too late for an expired one, or is of
 * another customer at Stripe.
 */
export function paymentVerdict(
  intent: PayableIntent,
  payment: { readonly customerId: string | null; readonly paidAt: Date },
): 'mark' | 'known' | 'late' | 'other_customer' {
  const { state, stripeCustomerId, expiresAt } = intent;
  const isOther = stripeCustomerId !== null && payment.customerId !== null && stripeCustomerId !== payment.customerId;
  if (state === 'created') return 'mark';
  if (isOther) return 'other_customer';
  if (state === 'expired') return payment.paidAt < expiresAt ? 'mark' : 'late';
  return 'known';
}

const utcDay = (date: Date): string => date.toISOString().slice(0, 10);
export const isSameDay = (a: Date | null, b: Date | null): boolean =>
  a !== null && b !== null && utcDay(a) === utcDay(b);

/** R-BILL-70: what a paid invoice is for. Every positive invoice is one of these, and only one of them renews. */
export function invoiceKind(
  invoice: Pick<StripeInvoice, 'amountPaid' | 'billingReason' | 'line'>,
  trialEnd: Date | null,
): InvoiceKind {
  const { amountPaid, billingReason, line } = invoice;
  if (amountPaid <= 0) return 'trial';
  if (billingReason === 'subscription_update' || line?.isProration) return 'change';
  if (billingReason === 'subscription_create') return 'purchase';
  if (billingReason !== 'subscription_cycle') return 'other';
  return isSameDay(line?.periodStart ?? null, trialEnd) ? 'first_period' : 'later_period';
}

/** The part of a renewal by which an invoice finds it. */
export interface MatchableRenewal {
  readonly stripeInvoiceId: string | null;
  readonly stripeSubscriptionId: string | null;
  readonly effectiveDate: Date | null;
  readonly processedAt: Date | null;
}

/**
 * R-BILL-71: the renewal of an invoice that was paid for a period: by the invoice, else by the day on which both begin,
 * else, for the first paid period, the only one that is still open.
 */
export function renewalOf<R extends MatchableRenewal>(
  renewals: readonly R[],
  invoice: { readonly id: string; readonly kind: InvoiceKind; readonly periodStart: Date | null },
): R | null {
  if (invoice.kind !== 'first_period' && invoice.kind !== 'later_period') return null;
  const named = renewals.find(({ stripeInvoiceId }) => stripeInvoiceId === invoice.id);
  if (named) return named;
  const free = renewals.filter(({ stripeInvoiceId }) => stripeInvoiceId === null);
  const dated = free.find(({ effectiveDate }) => isSameDay(effectiveDate, invoice.periodStart));
  if (dated) return dated;
  const open = free.filter(({ processedAt }) => processedAt === null);
  return invoice.kind === 'first_period' && open.length === 1 ? (open[0] ?? null) : null;
}

/** Statuses in which licences that were not paid for must not be usable (R-BILL-52). */
const UNPAID = new Set(['past_due', 'unpaid', 'canceled', 'incomplete_expired']);
export const wantsPlans = (status: string): boolean => !UNPAID.has(status);

/** The part of a renewal that decides about its plan. */
export interface PlannedRenewal {
  readonly renewedSubscriptionPlanUuid: string | null;
  readonly planState: 'active' | 'inactive' | null;
  readonly processedAt: Date | null;
}

/** R-BILL-52: what has to become of the plan of a renewal; null if it can stay as it is. */
export function planChange(renewal: PlannedRenewal, isPaid: boolean): 'active' | 'inactive' | null {
  if (renewal.renewedSubscriptionPlanUuid === null) return null;
  if (!isPaid) return renewal.planState === 'inactive' ? null : 'inactive';
  const wasTouched = renewal.planState === 'inactive' || renewal.processedAt !== null;
  return wasTouched && renewal.planState !== 'active' ? 'active' : null;
}

/** Statuses in which a buyer can cancel and reinstate. */
export const isRunning = (status: string): boolean => status === 'active' || status === 'trialing';

/** What a mail or a call can follow from when the state of a subscription changes. */
export type SubscriptionChange =
  | 'cancellation_scheduled'
  | 'cancellation_withdrawn'
  | 'payment_failed'
  | 'ended'
  | 'payment_method_changed';

type Known = Pick<StripeSubscription, 'status' | 'cancelAt' | 'defaultPaymentMethod'>;

/** A subscription of which nothing was told before. */
const begun: Known = { status: 'trialing', cancelAt: null, defaultPaymentMethod: null };

/** What differs between the newest state before and now. The order of events does not matter: only newer states count. */
export function changesBetween(before: Known | null, after: Known): SubscriptionChange[] {
  const { status, cancelAt, defaultPaymentMethod } = before ?? begun;
  const changes: SubscriptionChange[] = [];
  const isOver = after.status === 'canceled';
  if (isOver && status !== 'canceled') return ['ended'];
  if (isOver) return [];
  if (after.cancelAt !== null && cancelAt === null) changes.push('cancellation_scheduled');
  if (after.cancelAt === null && cancelAt !== null && isRunning(after.status)) changes.push('cancellation_withdrawn');
  if (after.status === 'past_due' && status !== 'past_due') changes.push('payment_failed');
  if (before !== null && after.defaultPaymentMethod !== null && defaultPaymentMethod !== after.defaultPaymentMethod)
    changes.push('payment_method_changed');
  return changes;
}

/** Whether a subscription that has ended was paid before: it outlived its trial. */
export const wasPaid = ({ endedAt, trialEnd }: Pick<StripeSubscription, 'endedAt' | 'trialEnd'>): boolean =>
  trialEnd === null || (endedAt !== null && endedAt > trialEnd);

/** How a state that was told relates to the one that is stored: by Stripe's own time, in seconds. */
export function ageOf(told: Date, stored: Date | null): 'newer' | 'older' | 'same second' {
  if (stored === null || told > stored) return 'newer';
  return told < stored ? 'older' : 'same second';
}

/** Embargoed countries of R-BILL-57. */
export const isEmbargoed = (country: string | null | undefined, embargoed: readonly string[]): boolean =>
  country !== null && country !== undefined && embargoed.includes(country.toUpperCase());

/** R-BILL-30: the code and the message of a field that does not pass. Both are part of the wire format. */
export const problems = {
  emailFormat: ['invalid_format', 'Invalid format for given email address.'],
  emailUnknown: ['not_registered', 'Given email address does not correspond to an existing user.'],
  emailOfOther: ['admin_email_mismatch', 'The provided admin_email differs from an existing user making the request.'],
  userMissing: ['is_null', 'The user object cannot be null'],
  companyMissing: ['is_null', 'Company name cannot be empty.'],
  companyTaken: ['existing_enterprise_customer', 'An enterprise customer with this name already exists.'],
  incomplete: ['incomplete_data', 'Not enough parameters were given.'],
  slugFormat: ['invalid_format', 'Invalid format for given slug.'],
  slugReserved: ['slug_reserved', 'The slug is currently reserved by another user.'],
  slugTaken: ['existing_enterprise_customer', 'The slug conflicts with an existing customer.'],
  quantityFormat: ['invalid_format', 'Must be a positive integer.'],
  quantityRange: ['range_exceeded', 'Exceeded allowed range for given stripe_price_id.'],
  textFormat: ['invalid_format', 'Must be a non-empty string.'],
  priceUnknown: ['does_not_exist', 'This stripe_price_id has not been configured.'],
  productUnknown: ['does_not_exist', 'This ssp_product_slug has not been configured.'],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;
export type Problem = (typeof problems)[keyof typeof problems];

const SLUG = /^[-a-zA-Z0-9_]+$/;
export const isSlug = (text: string): boolean => text.length <= 255 && SLUG.test(text);

/** R-BILL-30: the range is the same for every product. */
export function quantityProblem(
  quantity: unknown,
  isProductKnown: boolean,
  range: readonly [number, number],
): Problem | null {
  if (quantity === undefined || quantity === null || quantity === 0 || quantity === '') return problems.incomplete;
  if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1) return problems.quantityFormat;
  if (!isProductKnown) return problems.incomplete;
  return quantity < range[0] || quantity > range[1] ? problems.quantityRange : null;
}

/** A decimal text in cents as dollars with the places that are asked for; more are kept, never rounded away. */
export function dollarsText(cents: string | number, places: 0 | 2 = 2): string {
  const [, sign = '', whole = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(cents)) ?? [];
  const digits = whole.padStart(3, '0');
  const decimals = `${digits.slice(-2)}${fraction}`.replace(/0+$/, '').padEnd(places, '0');
  return `${sign}${digits.slice(0, -2)}${decimals === '' ? '' : `.${decimals}`}`;
}

/** `$1,199.88`, and `$1,000` for whole dollars. */
export function moneyText(cents: number): string {
  const [whole = '0', fraction = '00'] = dollarsText(Math.abs(cents)).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${cents < 0 ? '-' : ''}$${grouped}${fraction === '00' ? '' : `.${fraction}`}`;
}

/** Cents of one licence: of the price, else of the amount where it divides. Null where neither is whole cents. */
export function unitCents(unitAmountDecimal: string | null, amount: number, quantity: number | null): number | null {
  const ofPrice = unitAmountDecimal === null ? null : Number(unitAmountDecimal);
  if (ofPrice !== null && Number.isSafeInteger(ofPrice)) return ofPrice;
  return quantity !== null && quantity > 0 && amount % quantity === 0 ? amount / quantity : null;
}

const HEX_UUID = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i;

/** A uuid with or without dashes in its usual form; null for other text. */
export function uuidGiven(text: string): string | null {
  const parts = HEX_UUID.exec(text);
  return parts ? parts.slice(1).join('-').toLowerCase() : null;
}

/** What Stripe's metadata say about the intent of an object; null for objects of others. */
export function intentNamed(
  metadata: Readonly<Record<string, string>>,
): { uuid: string | null; id: number | null } | null {
  const { checkout_intent_uuid: uuid, checkout_intent_id: id } = metadata;
  if (uuid === undefined && id === undefined) return null;
  const isUuid = uuid !== undefined && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid);
  const isId = id !== undefined && /^\d{1,10}$/.test(id);
  return { uuid: isUuid ? uuid.toLowerCase() : null, id: isId ? Number(id) : null };
}
