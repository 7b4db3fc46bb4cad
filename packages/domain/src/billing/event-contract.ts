import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { uuid } from '../kernel/ids.ts';
import { keysetInput, keysetOutput } from '../kernel/keyset.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { billingPermissions, summaryPermissions } from './permissions.ts';
import { eventOutcomes } from './states-contract.ts';

const BASE = '/api/v1/stripe-event-summary/';
const ofPlan = {
  kind: 'query',
  permission: summaryPermissions.has_read_access,
  context: { from: 'subscriptionPlan', field: 'subscriptionPlanUuid' },
  denial: 'Missing',
} as const;
const plan = { subscriptionPlanUuid: uuid().describe('Plan of licences.') };
const time = (what: string) => z.date().nullable().describe(what);
const code = (what: string) => z.string().nullable().describe(what);

/** What an event of Stripe says about a subscription or an invoice. */
export const stripeEventSummary = z
  .object({
    id: z.int().describe('Number of the summary.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
    stripeEventData: z.string().describe('Event at Stripe.'),
    eventId: z.string().describe('Event at Stripe.'),
    eventType: z.string().describe('Kind of event.'),
    stripeEventCreatedAt: z.date().describe('Time of the event.'),
    checkoutIntent: z.int().nullable().describe('Number of the intent.'),
    subscriptionPlanUuid: code('Plan of licences of the trial.'),
    currency: code('Of a subscription.'),
    stripeObjectType: code('`subscription` or `invoice`.'),
    stripeSubscriptionId: code('Subscription at Stripe.'),
    stripeInvoiceId: code('Invoice at Stripe.'),
    subscriptionStatus: code('Status of a subscription.'),
    subscriptionPeriodStart: time('Begin of the period.'),
    subscriptionPeriodEnd: time('End of the period.'),
    subscriptionCancelAt: time('When the subscription ends.'),
    invoiceAmountPaid: z.int().nullable().describe('US cents, or the smallest unit of the currency.'),
    invoiceUnitAmount: z.int().nullable().describe('US cents, or the smallest unit of the currency, for one licence.'),
    invoiceUnitAmountDecimal: code('The same as decimal text.'),
    invoiceQuantity: z.int().nullable().describe('Number of licences.'),
    invoiceCurrency: code('Of an invoice.'),
    upcomingInvoiceAmountDue: z.int().nullable().describe('US cents of the next invoice.'),
  })
  .meta({ title: 'StripeEventSummary' });

export const listStripeEventSummaries = defineContract({
  summary: 'What Stripe has told about the subscription behind a plan, oldest first.',
  ...ofPlan,
  rest: { method: 'GET', path: BASE },
  input: z.object({ ...plan, ...pageInput({ defaultSize: 100, maximumSize: 100 }) }),
  output: pageOutput(stripeEventSummary),
  errors: [],
});

/** What the portal of administrators shows about a plan. */
export const planInfo = z
  .object({
    upcomingInvoiceAmountDue: z.int().nullable().describe('US cents of the next invoice.'),
    currency: code('Of the subscription.'),
    canceledDate: time('When the subscription ends.'),
    checkoutIntentUuid: code('Intent behind the plan.'),
    isCanceled: z.boolean().describe('Whether the subscription has ended.'),
    renewedSubscriptionPlanUuid: code('Plan that follows.'),
  })
  .meta({ title: 'SubscriptionPlanInfo' });

const aboutPlan = { ...ofPlan, input: z.object(plan), output: planInfo, errors: [] } as const;

export const getPlanInfo = defineContract({
  summary: 'What the next invoice of a plan asks for, and whether its subscription ends.',
  ...aboutPlan,
  rest: { method: 'GET', path: `${BASE}get-stripe-subscription-plan-info/` },
});

export const getFirstUpcomingInvoice = defineContract({
  summary: 'The same as the information about a plan, under the older path.',
  ...aboutPlan,
  rest: { method: 'GET', path: `${BASE}first-invoice-upcoming-amount-due/` },
});

/** An event of Stripe and what became of it, without its payload. */
export const stripeEvent = z
  .object({
    eventId: z.string().describe('Event at Stripe.'),
    eventType: z.string().describe('Kind of event.'),
    stripeCreated: z.date().describe('Time of the event.'),
    received: z.date().describe('Time of its first delivery.'),
    handledAt: time('When it was handled; null while it is not.'),
    outcome: openEnum(eventOutcomes)
      .nullable()
      .describe(
        '`applied`; `stale`: a newer state was known; `foreign`: not of our subscriptions; `ignored`: nothing to do; `refused`: the intent does not admit it.',
      ),
    lastError: code('Kind of the last failure.'),
    checkoutIntentUuid: code('Intent that it is about.'),
    enterpriseCustomerUuid: code('Customer of the intent.'),
  })
  .meta({ title: 'StripeEvent' });

const operators = {
  permission: billingPermissions.checkout_intent_read_write_all,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
} as const;
const someCustomer = { enterpriseCustomerUuid: uuid().optional().describe('Only events of this customer.') };

export const listStripeEvents = defineContract({
  summary: 'Events that Stripe has delivered, newest first; those not handled are dead letters after their retries.',
  kind: 'query',
  ...operators,
  rest: { method: 'GET', path: '/api/v1/billing/stripe-events/' },
  input: z.object({
    ...someCustomer,
    isHandled: z.boolean().optional().describe('Only events that were, or were not, handled.'),
    ...keysetInput({ defaultSize: 100, maximumSize: 100 }),
  }),
  output: keysetOutput(stripeEvent),
  errors: [],
});

export const replayStripeEvents = defineContract({
  summary: 'Handle events again that failed; events that were handled are left alone.',
  kind: 'mutation',
  ...operators,
  rest: { method: 'POST', path: '/api/v1/billing/stripe-events/replay/', status: 202 },
  input: z.object({
    ...someCustomer,
    eventIds: z
      .array(z.string().regex(/^[\x21-\x7e]{1,255}$/, 'Not an id of Stripe.'))
      .min(1)
      .max(100)
      .describe('Events at Stripe.'),
  }),
  output: z.object({ replayed: z.int().min(0).describe('Number of events that are handled again.') }),
  errors: [],
});
