import { z } from 'zod';

/** A price of a product that is sold by subscription. */
export interface StripePrice {
  readonly id: string;
  readonly lookupKey: string;
  /** Lower case. */
  readonly currency: string;
  /** In the smallest unit of the currency. */
  readonly unitAmount: number;
  readonly recurring: {
    readonly interval: string;
    readonly intervalCount: number;
    readonly usageType: string;
  };
  readonly product: string;
}

export interface StripeAddress {
  readonly city: string | null;
  readonly country: string | null;
  readonly line1: string | null;
  readonly line2: string | null;
  readonly postalCode: string | null;
  readonly state: string | null;
}

export interface StripeCustomer {
  readonly id: string;
  readonly email: string | null;
  readonly name: string | null;
  readonly phone: string | null;
  readonly address: StripeAddress | null;
  readonly defaultPaymentMethod: string | null;
}

export interface StripePaymentMethod {
  readonly id: string;
  readonly customerId: string | null;
  readonly type: string;
  /** Text, because it can begin with zeros. */
  readonly last4: string | null;
  readonly brand: string | null;
  readonly expMonth: number | null;
  readonly expYear: number | null;
  readonly address: StripeAddress | null;
}

export interface StripeSubscription {
  readonly id: string;
  readonly customerId: string;
  readonly status: string;
  /** When it ends, whichever way that was asked for; null if it goes on. */
  readonly cancelAt: Date | null;
  readonly cancelAtPeriodEnd: boolean;
  readonly endedAt: Date | null;
  readonly trialStart: Date | null;
  readonly trialEnd: Date | null;
  readonly periodStart: Date | null;
  readonly periodEnd: Date | null;
  readonly quantity: number | null;
  readonly priceId: string | null;
  /** Decimal text in the smallest unit of the currency. */
  readonly unitAmountDecimal: string | null;
  readonly currency: string | null;
  readonly defaultPaymentMethod: string | null;
  readonly latestInvoice: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly cancellation: {
    readonly reason: string | null;
    readonly comment: string | null;
    readonly feedback: string | null;
  } | null;
}

export interface StripeInvoice {
  readonly id: string;
  readonly number: string | null;
  readonly customerId: string | null;
  readonly customerName: string | null;
  readonly customerAddress: StripeAddress | null;
  /** Null for an invoice that belongs to no subscription. */
  readonly subscriptionId: string | null;
  /** Of the subscription at the time of the invoice. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: string | null;
  readonly billingReason: string | null;
  readonly amountPaid: number;
  readonly total: number;
  readonly currency: string;
  readonly created: Date;
  readonly paidAt: Date | null;
  readonly description: string | null;
  readonly hostedInvoiceUrl: string | null;
  /** What the invoice is for: its first line that is no proration, or else its last one. */
  readonly line: StripeInvoiceLine | null;
}

export interface StripeInvoiceLine {
  readonly quantity: number | null;
  readonly unitAmountDecimal: string | null;
  readonly isProration: boolean;
  readonly periodStart: Date | null;
  readonly periodEnd: Date | null;
}

export interface StripeCheckoutSession {
  readonly id: string;
  readonly status: string | null;
  readonly clientSecret: string | null;
  readonly customerId: string | null;
  readonly subscriptionId: string | null;
  readonly invoiceId: string | null;
  readonly paymentIntentId: string | null;
}

/** An event as Stripe sends it. */
export interface StripeEvent {
  readonly id: string;
  readonly type: string;
  readonly created: Date;
  /** The object as it was at the time of the event. */
  readonly object: Readonly<Record<string, unknown>>;
  /** The whole event. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** How an invoice was paid. */
export interface StripePayment {
  readonly method: StripePaymentMethod | null;
  readonly receiptUrl: string | null;
}

export interface CheckoutSessionRequest {
  readonly priceId: string;
  readonly quantity: number;
  readonly trialDays: number;
  readonly customerId: string | null;
  readonly customerEmail: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface StripePage<T> {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}

/**
 * Port to Stripe. Writes carry an idempotency key that is derived from what is written, so every call can be repeated.
 * Throws `UpstreamRefusal` when Stripe refuses the request, and `UpstreamFailure` when the outcome is unknown.
 */
export interface Stripe {
  /** Whether a key is configured. */
  readonly isOn: boolean;
  /** Prices of active subscriptions by lookup key, at most five minutes old. */
  prices(): Promise<ReadonlyMap<string, StripePrice>>;
  customerByEmail(email: string): Promise<StripeCustomer | null>;
  /** Null if Stripe has deleted the customer. */
  customer(id: string): Promise<StripeCustomer | null>;
  updateCustomer(
    id: string,
    change: {
      readonly name?: string;
      readonly email?: string;
      readonly phone?: string;
      readonly address?: StripeAddress;
      readonly defaultPaymentMethod?: string;
    },
    key: string,
  ): Promise<StripeCustomer>;
  checkoutSession(id: string): Promise<StripeCheckoutSession>;
  createCheckoutSession(request: CheckoutSessionRequest, key: string): Promise<StripeCheckoutSession>;
  /** The whole session: callers of the old service read its fields. */
  createPortalSession(customerId: string, returnUrl: string, key: string): Promise<Readonly<Record<string, unknown>>>;
  subscription(id: string): Promise<StripeSubscription>;
  subscriptionsOf(
    customerId: string,
    options: { readonly status?: string; readonly limit: number },
  ): Promise<readonly StripeSubscription[]>;
  /** Every subscription of the account that began after a time, oldest page last. */
  subscriptionsSince(since: Date, after: string | null): Promise<StripePage<StripeSubscription>>;
  setCancellation(id: string, atPeriodEnd: boolean, key: string): Promise<StripeSubscription>;
  /** Changes of the subscription wait for their payment and are invoiced at once (R-BILL-51). */
  requirePayment(id: string, key: string): Promise<StripeSubscription>;
  setSubscriptionMetadata(
    id: string,
    metadata: Readonly<Record<string, string>>,
    key: string,
  ): Promise<StripeSubscription>;
  invoice(id: string): Promise<StripeInvoice>;
  invoicesOf(
    customerId: string,
    options: { readonly limit: number; readonly after?: string; readonly status?: string },
  ): Promise<StripePage<StripeInvoice>>;
  /** What the next invoice of the subscription will ask for. */
  upcomingAmount(customerId: string, subscriptionId: string): Promise<number>;
  /** How an invoice was paid; null if nothing was paid. */
  paymentOf(invoiceId: string): Promise<StripePayment | null>;
  paymentMethod(id: string): Promise<StripePaymentMethod>;
  paymentMethodOfIntent(paymentIntentId: string): Promise<string | null>;
  paymentMethodsOf(customerId: string): Promise<readonly StripePaymentMethod[]>;
  attachPaymentMethod(id: string, customerId: string, key: string): Promise<StripePaymentMethod>;
  detachPaymentMethod(id: string, key: string): Promise<void>;
  /** Events of the last thirty days, newest first. */
  events(options: {
    readonly limit: number;
    readonly type?: string;
    readonly since?: Date;
    readonly after?: string;
  }): Promise<StripePage<StripeEvent>>;
  /** Checks the signature of a webhook's body with one of the secrets. */
  isSigned(body: Buffer, header: string, secrets: readonly string[], now: Date): boolean;
}

const epoch = (seconds: number | null | undefined): Date | null =>
  seconds === null || seconds === undefined ? null : new Date(seconds * 1_000);

const instant = z.number().nullish();
/** An id, or the object itself where it was expanded. */
const reference = z
  .union([z.string(), z.looseObject({ id: z.string() })])
  .nullish()
  .transform((value) => (typeof value === 'object' && value !== null ? value.id : (value ?? null)));
const metadata = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform(
    (value): Record<string, string> =>
      Object.fromEntries(Object.entries(value ?? {}).map(([name, each]) => [name, String(each)])),
  );
/** A decimal: text on the wire, an object of its own from the library. */
const decimal = z
  .unknown()
  .transform((value): string | null => (value === null || value === undefined ? null : String(value)));

const address = z
  .looseObject({
    city: z.string().nullish(),
    country: z.string().nullish(),
    line1: z.string().nullish(),
    line2: z.string().nullish(),
    postal_code: z.string().nullish(),
    state: z.string().nullish(),
  })
  .nullish()
  .transform((value): StripeAddress | null =>
    value
      ? {
          city: value.city ?? null,
          country: value.country ?? null,
          line1: value.line1 ?? null,
          line2: value.line2 ?? null,
          postalCode: value.postal_code ?? null,
          state: value.state ?? null,
        }
      : null,
  );

const price = z.looseObject({ id: z.string(), unit_amount_decimal: decimal, unit_amount: z.number().nullish() });

const subscription = z.looseObject({
  id: z.string(),
  customer: reference,
  status: z.string(),
  cancel_at: instant,
  cancel_at_period_end: z.boolean().nullish(),
  ended_at: instant,
  trial_start: instant,
  trial_end: instant,
  current_period_start: instant,
  current_period_end: instant,
  currency: z.string().nullish(),
  default_payment_method: reference,
  latest_invoice: reference,
  metadata,
  cancellation_details: z
    .looseObject({ reason: z.string().nullish(), comment: z.string().nullish(), feedback: z.string().nullish() })
    .nullish(),
  items: z
    .looseObject({
      data: z.array(
        z.looseObject({
          current_period_start: instant,
          current_period_end: instant,
          quantity: z.number().nullish(),
          price: price.nullish(),
        }),
      ),
    })
    .nullish(),
});

/** A subscription as Stripe writes it. Periods and quantity stand in its first item; older versions had them on top. */
export function subscriptionOf(raw: unknown): StripeSubscription {
  const found = subscription.parse(raw);
  const item = found.items?.data[0];
  const periodEnd = epoch(item?.current_period_end ?? found.current_period_end);
  const details = found.cancellation_details;
  return {
    id: found.id,
    customerId: found.customer ?? '',
    status: found.status,
    cancelAt: epoch(found.cancel_at) ?? (found.cancel_at_period_end ? periodEnd : null),
    cancelAtPeriodEnd: found.cancel_at_period_end ?? false,
    endedAt: epoch(found.ended_at),
    trialStart: epoch(found.trial_start),
    trialEnd: epoch(found.trial_end),
    periodStart: epoch(item?.current_period_start ?? found.current_period_start),
    periodEnd,
    quantity: item?.quantity ?? null,
    priceId: item?.price?.id ?? null,
    unitAmountDecimal: item?.price?.unit_amount_decimal ?? decimal.parse(item?.price?.unit_amount),
    currency: found.currency ?? null,
    defaultPaymentMethod: found.default_payment_method,
    latestInvoice: found.latest_invoice,
    metadata: found.metadata,
    cancellation:
      details && (details.reason || details.comment || details.feedback)
        ? { reason: details.reason ?? null, comment: details.comment ?? null, feedback: details.feedback ?? null }
        : null,
  };
}

const details = z.looseObject({ subscription: reference, metadata }).nullish();
const line = z.looseObject({
  quantity: z.number().nullish(),
  period: z.looseObject({ start: instant, end: instant }).nullish(),
  pricing: z.looseObject({ unit_amount_decimal: decimal }).nullish(),
  price: z.looseObject({ unit_amount_decimal: decimal }).nullish(),
  proration: z.boolean().nullish(),
  metadata,
  parent: z
    .looseObject({ subscription_item_details: z.looseObject({ proration: z.boolean().nullish() }).nullish() })
    .nullish(),
});

const invoice = z.looseObject({
  id: z.string(),
  number: z.string().nullish(),
  customer: reference,
  customer_name: z.string().nullish(),
  customer_address: address,
  subscription: reference,
  subscription_details: details,
  parent: z.looseObject({ subscription_details: details }).nullish(),
  status: z.string().nullish(),
  billing_reason: z.string().nullish(),
  amount_paid: z.number().nullish(),
  total: z.number().nullish(),
  currency: z.string(),
  created: z.number(),
  description: z.string().nullish(),
  hosted_invoice_url: z.string().nullish(),
  status_transitions: z.looseObject({ paid_at: instant }).nullish(),
  lines: z.looseObject({ data: z.array(line) }).nullish(),
});

const lineOf = (raw: z.infer<typeof line>): StripeInvoiceLine => ({
  quantity: raw.quantity ?? null,
  unitAmountDecimal: raw.pricing?.unit_amount_decimal ?? raw.price?.unit_amount_decimal ?? null,
  isProration: raw.parent?.subscription_item_details?.proration ?? raw.proration ?? false,
  periodStart: epoch(raw.period?.start),
  periodEnd: epoch(raw.period?.end),
});

/**
 * An invoice as Stripe writes it. The subscription stands in `parent`; versions before 2025-03-31 had it on top, and the
 * webhook of an account can be pinned to one of them.
 */
export function invoiceOf(raw: unknown): StripeInvoice {
  const found = invoice.parse(raw);
  const of = found.parent?.subscription_details ?? found.subscription_details;
  const lines = (found.lines?.data ?? []).map(lineOf);
  const names = [of?.metadata ?? {}, ...(found.lines?.data ?? []).map(({ metadata: each }) => each)];
  return {
    id: found.id,
    number: found.number ?? null,
    customerId: found.customer,
    customerName: found.customer_name ?? null,
    customerAddress: found.customer_address,
    subscriptionId: of?.subscription ?? found.subscription,
    metadata: names.find((each) => Object.keys(each).length > 0) ?? {},
    status: found.status ?? null,
    billingReason: found.billing_reason ?? null,
    amountPaid: found.amount_paid ?? 0,
    total: found.total ?? 0,
    currency: found.currency,
    created: new Date(found.created * 1_000),
    paidAt: epoch(found.status_transitions?.paid_at),
    description: found.description ?? null,
    hostedInvoiceUrl: found.hosted_invoice_url ?? null,
    line: lines.find(({ isProration }) => !isProration) ?? lines.at(-1) ?? null,
  };
}

const customer = z.looseObject({
  id: z.string(),
  email: z.string().nullish(),
  name: z.string().nullish(),
  phone: z.string().nullish(),
  address,
  deleted: z.boolean().nullish(),
  invoice_settings: z.looseObject({ default_payment_method: reference }).nullish(),
});

/** Null for a customer that was deleted. */
export function customerOf(raw: unknown): StripeCustomer | null {
  const found = customer.parse(raw);
  if (found.deleted) return null;
  return {
    id: found.id,
    email: found.email ?? null,
    name: found.name ?? null,
    phone: found.phone ?? null,
    address: found.address,
    defaultPaymentMethod: found.invoice_settings?.default_payment_method ?? null,
  };
}

const instrument = z
  .looseObject({
    last4: z.string().nullish(),
    brand: z.string().nullish(),
    bank_name: z.string().nullish(),
    exp_month: z.number().nullish(),
    exp_year: z.number().nullish(),
  })
  .nullish();
const paymentMethod = z.looseObject({
  id: z.string(),
  type: z.string(),
  customer: reference,
  card: instrument,
  us_bank_account: instrument,
  billing_details: z.looseObject({ address }).nullish(),
});

export function paymentMethodOf(raw: unknown): StripePaymentMethod {
  const found = paymentMethod.parse(raw);
  const of = found.card ?? found.us_bank_account;
  return {
    id: found.id,
    customerId: found.customer,
    type: found.type,
    last4: of?.last4 ?? null,
    brand: of?.brand ?? of?.bank_name ?? null,
    expMonth: of?.exp_month ?? null,
    expYear: of?.exp_year ?? null,
    address: found.billing_details?.address ?? null,
  };
}

const session = z.looseObject({
  id: z.string(),
  status: z.string().nullish(),
  client_secret: z.string().nullish(),
  customer: reference,
  subscription: reference,
  invoice: reference,
  payment_intent: reference,
});

export function checkoutSessionOf(raw: unknown): StripeCheckoutSession {
  const found = session.parse(raw);
  return {
    id: found.id,
    status: found.status ?? null,
    clientSecret: found.client_secret ?? null,
    customerId: found.customer,
    subscriptionId: found.subscription,
    invoiceId: found.invoice,
    paymentIntentId: found.payment_intent,
  };
}

const recurringPrice = z.looseObject({
  id: z.string(),
  active: z.literal(true),
  currency: z.string(),
  unit_amount: z.int(),
  billing_scheme: z.literal('per_unit'),
  type: z.literal('recurring'),
  lookup_key: z.string().min(1),
  product: reference,
  recurring: z.looseObject({ interval: z.string().min(1), interval_count: z.int(), usage_type: z.literal('licensed') }),
});

/** Null for a price that a subscription cannot be sold by (R-BILL-36): the others are not affected. */
export function priceOf(raw: unknown): StripePrice | null {
  const parsed = recurringPrice.safeParse(raw);
  if (!parsed.success) return null;
  const { id, lookup_key: lookupKey, currency, unit_amount: unitAmount, recurring, product } = parsed.data;
  return {
    id,
    lookupKey,
    currency: currency.toLowerCase(),
    unitAmount,
    recurring: {
      interval: recurring.interval,
      intervalCount: recurring.interval_count,
      usageType: recurring.usage_type,
    },
    product: product ?? '',
  };
}

const event = z.looseObject({
  id: z.string().min(1).max(255),
  type: z.string().min(1).max(255),
  created: z.number(),
  data: z.looseObject({ object: z.record(z.string(), z.unknown()) }),
});

/** Null for what is no event. */
export function eventOf(raw: unknown): StripeEvent | null {
  const parsed = event.safeParse(raw);
  if (!parsed.success) return null;
  const { id, type, created, data } = parsed.data;
  return { id, type, created: new Date(created * 1_000), object: data.object, raw: parsed.data };
}

const invoicePayment = z.looseObject({
  payment: z
    .looseObject({
      payment_intent: z
        .union([
          z.string(),
          z.looseObject({
            payment_method: z.union([z.string(), paymentMethod]).nullish(),
            latest_charge: z.union([z.string(), z.looseObject({ receipt_url: z.string().nullish() })]).nullish(),
          }),
        ])
        .nullish(),
    })
    .nullish(),
});

/** A payment of an invoice with its payment intent, method and charge expanded. */
export function paymentOf(raw: unknown): StripePayment {
  const intent = invoicePayment.parse(raw).payment?.payment_intent;
  if (typeof intent !== 'object' || intent === null) return { method: null, receiptUrl: null };
  const { payment_method: method, latest_charge: charge } = intent;
  return {
    method: typeof method === 'object' && method !== null ? paymentMethodOf(method) : null,
    receiptUrl: typeof charge === 'object' && charge !== null ? (charge.receipt_url ?? null) : null,
  };
}
