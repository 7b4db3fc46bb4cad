import { defineModel, is, type Row } from '@enterprise-access/db';
import type { EventOutcome, InvoiceKind, ProductLine, State } from './states-contract.ts';

const SCRUBBED = { job: 'billing.scrub' } as const;
const CATALOGUE = { platform: 'What is sold to everybody; it belongs to no customer.' } as const;

export const sspProducts = defineModel('ssp_products', {
  tenant: CATALOGUE,
  audited: { subject: 'ssp_product' },
  columns: {
    uuid: is.uuid(),
    slug: is.text(),
    stripePriceLookupKey: is.text(),
    /** Null for Teams; the academy of an Essentials product. */
    academyUuid: is.uuid().nullable(),
    catalogQueryId: is.integer(),
    catalogQueryUuid: is.uuid().nullable(),
    licenseManagerProductIdTrial: is.integer().nullable(),
    licenseManagerProductIdPaid: is.integer().nullable(),
    isActive: is.flag(),
    marketingUrl: is.text().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export type ProductRow = Row<typeof sspProducts>;

export const enterpriseAcademies = defineModel('enterprise_academies', {
  tenant: CATALOGUE,
  audited: { subject: 'enterprise_academy' },
  columns: {
    uuid: is.uuid(),
    name: is.text(),
    longName: is.text(),
    description: is.text(),
    marketingUrl: is.text(),
    thumbnailUrl: is.text(),
    tags: is.json<readonly string[]>(),
    stripeProductId: is.text().nullable(),
    stripePriceLookupKey: is.text().nullable(),
    catalogQueryId: is.integer().nullable(),
    productKey: is.text().nullable(),
    slug: is.text().nullable(),
    isActive: is.flag(),
    displayOrder: is.integer(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export type AcademyRow = Row<typeof enterpriseAcademies>;

export const checkoutIntents = defineModel('checkout_intents', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'checkout_intent' },
  columns: {
    uuid: is.uuid(),
    id: is.integer(),
    userId: is.integer(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    sspProduct: is.text(),
    productLine: is.code<ProductLine>(),
    stripeProductId: is.text(),
    state: is.code<State>(),
    enterpriseName: is.text().nullable(),
    enterpriseSlug: is.text().nullable(),
    stripeCustomerId: is.text().nullable(),
    stripeSubscriptionId: is.text().nullable(),
    expiresAt: is.instant(),
    stripeCheckoutSessionId: is.text().nullable(),
    checkoutFingerprint: is.code().nullable(),
    quantity: is.integer(),
    country: is.code().nullable(),
    lastCheckoutError: is.text().nullable(),
    lastProvisioningError: is.text().nullable(),
    workflowUuid: is.uuid().nullable(),
    termsMetadata: is
      .json<Readonly<Record<string, unknown>>>()
      .nullable()
      .personalData({ holds: 'Acceptance of the terms, with address and browser of the buyer.', ends: SCRUBBED }),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: { activeProduct: is.integer().nullable(), teamsTrial: is.integer().nullable() },
});
export type IntentRow = Row<typeof checkoutIntents>;

/** Slugs and names that intents hold. */
export const checkoutReservations = defineModel('checkout_reservations', {
  tenant: 'enterpriseCustomerUuid',
  key: ['kind', 'value'],
  columns: {
    kind: is.code<'slug' | 'name'>(),
    value: is.text(),
    userId: is.integer(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

/** Events of Stripe, stored before they are handled. */
export const stripeEvents = defineModel('stripe_events', {
  tenant: 'enterpriseCustomerUuid',
  key: ['eventId'],
  columns: {
    eventId: is.code(),
    eventType: is.code(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    checkoutIntentUuid: is.uuid().nullable(),
    stripeCreated: is.instant(),
    objectId: is.code(),
    subscriptionId: is.code().nullable(),
    data: is
      .json<Readonly<Record<string, unknown>>>()
      .personalData({ holds: 'The event, with address and name of the payer.', ends: SCRUBBED }),
    outcome: is.code<EventOutcome>().nullable(),
    handledAt: is.instant().nullable(),
    /** Kind of the last failure; never its message. */
    lastError: is.code().nullable(),
    scrubbedAt: is.instant().nullable(),
    created: is.instant(),
  },
});
export type EventRow = Row<typeof stripeEvents>;

export const stripeEventSummaries = defineModel('stripe_event_summaries', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    id: is.integer(),
    eventId: is.code(),
    eventType: is.code(),
    stripeEventCreatedAt: is.instant(),
    checkoutIntentUuid: is.uuid().nullable(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    subscriptionPlanUuid: is.uuid().nullable(),
    currency: is.code().nullable(),
    stripeObjectType: is.code().nullable(),
    stripeSubscriptionId: is.code().nullable(),
    stripeInvoiceId: is.code().nullable(),
    subscriptionStatus: is.code().nullable(),
    subscriptionPeriodStart: is.instant().nullable(),
    subscriptionPeriodEnd: is.instant().nullable(),
    subscriptionCancelAt: is.instant().nullable(),
    invoiceAmountPaid: is.cents().nullable(),
    invoiceUnitAmount: is.cents().nullable(),
    invoiceUnitAmountDecimal: is.code().nullable(),
    invoiceQuantity: is.integer().nullable(),
    invoiceCurrency: is.code().nullable(),
    upcomingInvoiceAmountDue: is.cents().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});
export type SummaryRow = Row<typeof stripeEventSummaries>;

/** The newest known state of each subscription. */
export const stripeSubscriptions = defineModel('stripe_subscriptions', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'stripe_subscription', ignored: ['asOf', 'asOfEvent'] },
  columns: {
    uuid: is.uuid(),
    stripeSubscriptionId: is.code(),
    checkoutIntentUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    stripeCustomerId: is.code(),
    status: is.code(),
    cancelAt: is.instant().nullable(),
    endedAt: is.instant().nullable(),
    trialEnd: is.instant().nullable(),
    periodStart: is.instant().nullable(),
    periodEnd: is.instant().nullable(),
    quantity: is.integer().nullable(),
    unitAmountDecimal: is.code().nullable(),
    currency: is.code().nullable(),
    priceId: is.code().nullable(),
    defaultPaymentMethod: is.code().nullable(),
    asOf: is.instant(),
    asOfEvent: is.code(),
    created: is.instant(),
    modified: is.instant(),
  },
});
export type SubscriptionRow = Row<typeof stripeSubscriptions>;

/** Invoices of our subscriptions, each once. */
export const stripeInvoices = defineModel('stripe_invoices', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'stripe_invoice' },
  columns: {
    uuid: is.uuid(),
    stripeInvoiceId: is.code(),
    stripeSubscriptionId: is.code(),
    checkoutIntentUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    billingReason: is.code().nullable(),
    /** Null until it is paid. */
    kind: is.code<InvoiceKind>().nullable(),
    amountPaidCents: is.cents(),
    currency: is.code(),
    periodStart: is.instant().nullable(),
    paidAt: is.instant().nullable(),
    renewalUuid: is.uuid().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});
export type InvoiceRow = Row<typeof stripeInvoices>;

/** Renewals of the licence service that payments set in motion. */
export const subscriptionRenewals = defineModel('subscription_renewals', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'subscription_renewal' },
  columns: {
    uuid: is.uuid(),
    checkoutIntentUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    subscriptionPlanRenewalId: is.integer(),
    priorSubscriptionPlanUuid: is.uuid().nullable(),
    renewedSubscriptionPlanUuid: is.uuid().nullable(),
    /** The event that set it in motion. */
    eventId: is.code().nullable(),
    stripeSubscriptionId: is.code().nullable(),
    stripeInvoiceId: is.code().nullable(),
    effectiveDate: is.instant().nullable(),
    processedAt: is.instant().nullable(),
    isCanceled: is.flag(),
    subscriptionCancelAt: is.instant().nullable(),
    planState: is.code<'active' | 'inactive'>().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});
export type RenewalRow = Row<typeof subscriptionRenewals>;

export const tables = [
  checkoutIntents,
  checkoutReservations,
  enterpriseAcademies,
  sspProducts,
  stripeEvents,
  stripeEventSummaries,
  stripeInvoices,
  stripeSubscriptions,
  subscriptionRenewals,
] as const;
