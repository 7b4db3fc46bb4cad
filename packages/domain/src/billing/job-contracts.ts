import { z } from 'zod';
import { defineJob } from '../kernel/jobs/job.ts';
import { eventOutcomes } from './states-contract.ts';

const count = z.int().min(0);
const stripeId = z.string().regex(/^[\x21-\x7e]{1,255}$/);
/** Stripe and the licence service are away for minutes rather than seconds. */
const PATIENT = { limit: 8, delaySeconds: 5, maximumDelaySeconds: 900 } as const;
const MAIL = { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 } as const;
const SWEEP = { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 } as const;

export const handleStripeEvent = defineJob({
  name: 'billing.handleStripeEvent',
  summary: 'Do what follows from an event of Stripe.',
  payload: z.object({ eventId: stripeId, subscriptionId: z.string().nullable() }),
  result: z.object({ outcome: z.enum([...eventOutcomes, 'handled before', 'gone']) }),
  // Events of one subscription one after the other; their order does not matter.
  keyOf: ({ subscriptionId, eventId }) => subscriptionId ?? eventId,
  retry: PATIENT,
  timeoutSeconds: 120,
});

export const processRenewal = defineJob({
  name: 'billing.processRenewal',
  summary: 'Let the licence service process the renewal that a payment has set in motion.',
  payload: z.object({ renewalUuid: z.guid() }),
  result: z.object({ outcome: z.enum(['processed', 'processed before', 'refused', 'gone']) }),
  keyOf: ({ renewalUuid }) => renewalUuid,
  retry: PATIENT,
  timeoutSeconds: 120,
});

export const alignPlans = defineJob({
  name: 'billing.alignPlans',
  summary: 'Activate or deactivate the plans of a subscription as its payment demands.',
  payload: z.object({ subscriptionId: stripeId }),
  result: z.object({ activated: count, deactivated: count, refused: count }),
  keyOf: ({ subscriptionId }) => subscriptionId,
  retry: PATIENT,
  timeoutSeconds: 120,
});

export const prepareSubscription = defineJob({
  name: 'billing.prepareSubscription',
  summary: 'Let changes of a subscription wait for their payment, and note what its next invoice will ask for.',
  payload: z.object({ subscriptionId: stripeId, eventId: stripeId, isNew: z.boolean() }),
  result: z.object({ outcome: z.enum(['prepared', 'refused']) }),
  keyOf: ({ subscriptionId }) => subscriptionId,
  retry: PATIENT,
  timeoutSeconds: 120,
});

export const mailNames = [
  'signupConfirmation',
  'trialEndingSoon',
  'trialCancelled',
  'paidCancelled',
  'cancellationFinal',
  'reinstated',
  'billingError',
  'subscriptionStarted',
  'receipt',
] as const;
export type MailName = (typeof mailNames)[number];

export const sendMail = defineJob({
  name: 'billing.sendMail',
  summary: 'Send one mail about a purchase to those who manage it.',
  payload: z.object({
    mail: z.enum(mailNames),
    intentUuid: z.guid(),
    subscriptionId: stripeId.nullable(),
    invoiceId: stripeId.nullable(),
    occasion: z.string().max(255).describe('One mail per occasion.'),
  }),
  result: z.object({ outcome: z.enum(['sent', 'nobody', 'outdated', 'off', 'refused']), recipients: count }),
  retry: MAIL,
  timeoutSeconds: 300,
});

export const expireIntents = defineJob({
  name: 'billing.expireIntents',
  summary: 'Expire checkout intents whose reservation is over, which frees slug and name.',
  payload: z.object({ batch: z.int().min(1).max(1_000).default(100).describe('Intents of one read.') }),
  result: z.object({ expired: count }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 3_600,
});

export const markStalled = defineJob({
  name: 'billing.markStalled',
  summary: 'Mark paid intents as stalled that were not provisioned in time.',
  payload: z.object({
    thresholdSeconds: z.int().min(1).max(31_536_000).default(180).describe('Seconds since the last change.'),
    batch: z.int().min(1).max(1_000).default(100).describe('Intents of one read.'),
  }),
  result: z.object({ stalled: count }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 3_600,
});

export const scrub = defineJob({
  name: 'billing.scrub',
  summary: 'Remove personal data: payloads of old events, and the acceptance of terms of old intents.',
  payload: z.object({ batch: z.int().min(1).max(10_000).default(500).describe('Rows of one statement.') }),
  result: z.object({ events: count, intents: count }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 3_600,
});

export const reconcile = defineJob({
  name: 'billing.reconcile',
  summary:
    'Compare intents, subscriptions and renewals with Stripe; report what differs, and repair it without --dry-run.',
  payload: z.object({ sinceDays: z.int().min(1).max(3_650).default(35).describe('Age of subscriptions and events.') }),
  result: z.object({
    subscriptions: count.describe('Subscriptions of ours at Stripe.'),
    foreign: count.describe('Subscriptions of others in the account.'),
    missingEvents: count.describe('Events that were never delivered.'),
    staleSubscriptions: count.describe('Whose stored state differs.'),
    unpaidIntents: count.describe('Paid at Stripe, not paid here.'),
    openRenewals: count.describe('Paid and not processed.'),
    missingRenewals: count.describe('Paid periods without a renewal.'),
    repaired: count,
  }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 3_600,
});

export const fetchEvents = defineJob({
  name: 'billing.fetchEvents',
  summary: 'Fetch events from Stripe and handle those that were never delivered, oldest first.',
  payload: z.object({
    eventType: z.string().max(100).optional().describe('Only this kind.'),
    limit: z.int().min(1).max(100_000).default(10).describe('Newest events to look at.'),
    createdSinceHoursAgo: z.int().min(1).max(720).optional().describe('Only events of the last hours.'),
  }),
  result: z.object({ fetched: count, stored: count, repeated: count, unknown: count }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 3_600,
});

export const populateSummaries = defineJob({
  name: 'billing.populateSummaries',
  summary: 'Build summaries of events that have none; with force all whose payload is still there.',
  payload: z.object({
    batch: z.int().min(1).max(1_000).default(100).describe('Events of one read.'),
    eventType: z.string().max(100).optional().describe('Only this kind.'),
    force: z.boolean().default(false).describe('Also those that have one.'),
  }),
  result: z.object({ built: count, failed: count }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 3_600,
});

export const replayEvents = defineJob({
  name: 'billing.replayEvents',
  summary: 'Handle events again that were not handled.',
  payload: z.object({
    olderThanMinutes: z.int().min(0).max(525_600).default(60).describe('Age of the events.'),
    limit: z.int().min(1).max(100_000).default(1_000).describe('Number of events.'),
  }),
  result: z.object({ replayed: count }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 600,
});

export const putProduct = defineJob({
  name: 'billing.putProduct',
  summary: 'Store a product of the self-service purchase under its slug.',
  payload: z.object({
    slug: z.string().min(1).max(255).describe('Identifies the product.'),
    stripePriceLookupKey: z.string().min(1).max(255).describe('Key of its price at Stripe.'),
    academyUuid: z.guid().nullable().default(null).describe('Academy of an Essentials product.'),
    catalogQueryId: z.int().min(0).default(0).describe('Query of the catalog that is built for customers.'),
    catalogQueryUuid: z.guid().nullable().default(null).describe('The same by uuid, for information.'),
    licenseManagerProductIdTrial: z.int().nullable().default(null).describe('Product of trial plans.'),
    licenseManagerProductIdPaid: z.int().nullable().default(null).describe('Product of paid plans.'),
    isActive: z.boolean().default(true).describe('Whether it is sold.'),
    marketingUrl: z.string().max(255).nullable().default(null).describe('Page about it.'),
  }),
  result: z.object({ isChanged: z.boolean() }),
  keyOf: ({ slug }) => slug,
  retry: SWEEP,
  timeoutSeconds: 60,
});

export const syncAcademies = defineJob({
  name: 'billing.syncAcademies',
  summary:
    'Import academies from enterprise-catalog by their uuid; with deactivateMissing those that are gone are no longer sold.',
  payload: z.object({
    academyUuid: z.guid().optional().describe('Only this academy.'),
    deactivateMissing: z.boolean().default(false).describe('Not with an allow-list or a single academy.'),
  }),
  result: z.object({
    created: count,
    updated: count,
    unchanged: count,
    skipped: count,
    deactivated: count,
    errors: count,
  }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 600,
});

export const tagSubscriptions = defineJob({
  name: 'billing.tagSubscriptions',
  summary: 'Write the product of each intent into the metadata of its subscription at Stripe.',
  payload: z.object({ intentUuid: z.guid().optional().describe('Only this intent.') }),
  result: z.object({ updated: count, skipped: count, errors: count }),
  keyOf: () => 'all',
  retry: SWEEP,
  timeoutSeconds: 3_600,
});
