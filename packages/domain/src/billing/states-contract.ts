/** States of a checkout intent. */
export const states = [
  'created',
  'paid',
  'fulfilled',
  'errored_backoffice',
  'errored_fulfillment_stalled',
  'errored_provisioning',
  'expired',
] as const;
export type State = (typeof states)[number];

/** Who or what moves an intent. */
export type Trigger = 'buyer' | 'staff' | 'stripe' | 'provisioning' | 'sweep';

export type ProductLine = 'teams' | 'essentials';

/** What an invoice is for. */
export const invoiceKinds = ['trial', 'purchase', 'first_period', 'later_period', 'change', 'other'] as const;
export type InvoiceKind = (typeof invoiceKinds)[number];

/** What became of an event of Stripe. */
export const eventOutcomes = ['applied', 'stale', 'foreign', 'ignored', 'refused'] as const;
export type EventOutcome = (typeof eventOutcomes)[number];
