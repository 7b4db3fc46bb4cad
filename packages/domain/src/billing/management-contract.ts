import { z } from 'zod';
import { defineContract, noCustomer } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { signedIn } from '../kernel/permissions.ts';
import { billingPermissions } from './permissions.ts';

const BASE = '/api/v1/billing-management/';
const none = z.object({});
const ofCustomer = {
  permission: billingPermissions.billing_management_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
} as const;
const customer = { enterpriseCustomerUuid: uuid().describe('Customer whose purchase it is.') };
const method = {
  paymentMethod: z
    .string()
    .max(255)
    .describe('Payment method at Stripe.')
    .meta({ examples: ['pm_1'] }),
};
const text = (maximum: number, what: string) =>
  z
    .string()
    .max(maximum)
    .refine((value) => value.trim() !== '', `${what} is required and cannot be empty`);

const failure = <const C extends string>(code: C, status: number, message: string) =>
  defineError({ code, status, message, details: none });

export const noStripeCustomer = failure('no_stripe_customer', 404, 'Stripe customer not found for this enterprise');
export const noPurchase = failure('no_purchase', 404, 'Checkout Intent not found for this enterprise');
export const stripeError = defineError({
  code: 'stripe_error',
  status: 422,
  message: 'Stripe API error',
  details: z.object({ reason: z.string().describe('What Stripe says.') }),
});
export const invalidStripeRequest = failure('invalid_stripe_request', 400, 'Invalid request to Stripe API');
export const methodNotFound = failure('payment_method_not_found', 404, 'Payment method not found');
export const methodNotOwn = failure(
  'payment_method_not_own',
  404,
  'Payment method not found or does not belong to this customer',
);
export const methodTaken = failure(
  'payment_method_taken',
  409,
  'Payment method is already attached to another customer',
);
export const onlyMethod = failure('only_payment_method', 409, 'Cannot delete the only payment method on the account');
export const methodIsDefault = failure(
  'payment_method_is_default',
  409,
  'Set another method as default before deleting this one',
);
export const noSubscription = failure(
  'no_active_subscription',
  404,
  'No active subscription found for this enterprise',
);
export const alreadyScheduled = failure(
  'cancellation_scheduled',
  409,
  'Subscription is already scheduled for cancellation',
);
export const notScheduled = failure(
  'cancellation_not_scheduled',
  409,
  'Subscription is not currently scheduled for cancellation',
);
export const periodEnded = failure('subscription_period_ended', 409, 'The subscription period has already ended');
export const cannotCancelPlan = failure(
  'cancellation_not_available',
  403,
  'Subscription cancellation is not available for your plan type',
);
export const cannotReinstatePlan = failure(
  'reinstatement_not_available',
  403,
  'Subscription reinstatement is not available for your plan type',
);

export const getBillingHealth = defineContract({
  summary: 'Whether the billing pages are there.',
  kind: 'query',
  permission: signedIn,
  context: noCustomer,
  rest: { method: 'GET', path: `${BASE}health-check/` },
  input: none,
  output: z.object({ status: z.string().describe('`healthy`.') }),
  errors: [],
});

/** Name and address for invoices. Personal data. */
export const billingAddress = z
  .object({
    name: z.string().nullable().describe('Name on invoices.'),
    email: z.string().nullable().describe('Address for invoices.'),
    phone: z.string().nullable().describe('Telephone number.'),
    country: z.string().nullable().describe('Two letters of the country.'),
    addressLine_1: z.string().nullable().describe('Street.'),
    addressLine_2: z.string().nullable().describe('More of the street.'),
    city: z.string().nullable().describe('City.'),
    state: z.string().nullable().describe('State or province.'),
    postalCode: z.string().nullable().describe('Postal code.'),
  })
  .meta({ title: 'BillingAddress' });

export const getBillingAddress = defineContract({
  summary: 'Name and address for the invoices of a customer.',
  kind: 'query',
  ...ofCustomer,
  rest: { method: 'GET', path: `${BASE}address/` },
  input: z.object(customer),
  output: billingAddress,
  errors: [noStripeCustomer, stripeError],
});

export const updateBillingAddress = defineContract({
  summary: 'Set name and address for the invoices of a customer.',
  kind: 'mutation',
  ...ofCustomer,
  rest: { method: 'POST', path: `${BASE}address/` },
  input: z.object({
    ...customer,
    name: text(255, 'Name').describe('Name on invoices.'),
    email: z.email().max(254).describe('Address for invoices.'),
    phone: z.string().max(20).nullish().describe('Telephone number; an empty one is removed.'),
    country: z
      .string()
      .length(2)
      .regex(/^[A-Za-z]{2}$/, 'Country must be a valid two-letter ISO code (e.g., US, CA, GB)')
      .describe('Two letters of the country.')
      .meta({ examples: ['US'] }),
    addressLine_1: text(255, 'Address line 1').describe('Street.'),
    addressLine_2: z.string().max(255).nullish().describe('More of the street; removed if it is left out.'),
    city: text(255, 'City').describe('City.'),
    state: text(255, 'State').describe('State or province.'),
    postalCode: text(20, 'Postal code').describe('Postal code.'),
  }),
  output: billingAddress,
  errors: [noStripeCustomer, stripeError],
});

/** A card or bank account of a customer. */
export const billingMethod = z
  .object({
    id: z.string().describe('Identifies it at Stripe.'),
    type: z.string().describe('Such as `card`.'),
    last4: z.string().nullable().describe('Last four digits, with their zeros.'),
    brand: z.string().nullable().describe('Brand of the card, or bank.'),
    expMonth: z.int().nullable().describe('Month in which it ends.'),
    expYear: z.int().nullable().describe('Year in which it ends.'),
    isDefault: z.boolean().describe('Whether invoices are charged to it.'),
    status: z.string().describe('`verified`, `pending` or `failed`.'),
  })
  .meta({ title: 'PaymentMethod' });

export const listPaymentMethods = defineContract({
  summary: 'Payment methods of a customer.',
  kind: 'query',
  ...ofCustomer,
  rest: { method: 'GET', path: `${BASE}payment-methods/` },
  input: z.object(customer),
  output: z.object({ paymentMethods: z.array(billingMethod).describe('At most 100.') }),
  errors: [noStripeCustomer, stripeError],
});

export const addPaymentMethod = defineContract({
  summary: 'Attach a payment method to a customer.',
  kind: 'mutation',
  ...ofCustomer,
  rest: { method: 'POST', path: `${BASE}payment-methods/` },
  input: z.object({
    ...customer,
    paymentMethodId: z.string().min(1).max(255).describe('Payment method that Stripe’s form has made.'),
  }),
  output: z.object({
    message: z.string().describe('For people.'),
    paymentMethodId: z.string().describe('The payment method.'),
  }),
  errors: [noStripeCustomer, methodNotFound, methodTaken, stripeError],
});

const said = z.object({ message: z.string().describe('For people.') });

export const setDefaultPaymentMethod = defineContract({
  summary: 'Charge invoices of a customer to one of its payment methods.',
  kind: 'mutation',
  ...ofCustomer,
  rest: { method: 'POST', path: `${BASE}payment-methods/{paymentMethod}/set-default/` },
  input: z.object({ ...customer, ...method }),
  output: said,
  errors: [noStripeCustomer, methodNotOwn, methodNotFound, stripeError],
});

export const deletePaymentMethod = defineContract({
  summary: 'Detach a payment method from a customer.',
  kind: 'mutation',
  ...ofCustomer,
  rest: { method: 'DELETE', path: `${BASE}payment-methods/{paymentMethod}/` },
  input: z.object({ ...customer, ...method }),
  output: said,
  errors: [noStripeCustomer, methodNotOwn, methodNotFound, onlyMethod, methodIsDefault, stripeError],
});

/** An invoice of a customer. */
export const billingTransaction = z
  .object({
    id: z.string().describe('Invoice at Stripe.'),
    created: z.int().describe('Seconds since 1970.'),
    amount: z.int().describe('US cents, or the smallest unit of the currency; what was paid.'),
    currency: z.string().describe('Lower case.'),
    status: z.string().describe('`paid`, `open`, `void` or `uncollectible`.'),
    description: z.string().nullable().describe('What it is for.'),
    invoicePdfUrl: z.string().nullable().describe('Page of the invoice at Stripe.'),
    receiptUrl: z.string().nullable().describe('Page of the receipt; null if nothing was paid.'),
  })
  .meta({ title: 'BillingTransaction' });

export const listTransactions = defineContract({
  summary: 'Invoices of a customer, newest first.',
  kind: 'query',
  ...ofCustomer,
  rest: { method: 'GET', path: `${BASE}transactions/` },
  input: z.object({
    ...customer,
    limit: z.string().max(20).optional().describe('1 to 25; any other value means 10.'),
    pageToken: z.string().max(255).optional().describe('`nextPageToken` of the page before.'),
  }),
  output: z.object({
    transactions: z.array(billingTransaction).describe('Invoices of this page.'),
    nextPageToken: z.string().nullable().describe('For the next page; null at the end.'),
  }),
  errors: [noStripeCustomer, invalidStripeRequest, stripeError],
});

const subscriptionShape = {
  id: z.string().nullable().describe('Subscription at Stripe.'),
  status: z.string().nullable().describe('`active` or `trialing`.'),
  cancelAtPeriodEnd: z.boolean().describe('Whether it ends with its period.'),
  cancelAt: z.int().nullable().describe('When it ends, in seconds since 1970.'),
  currentPeriodEnd: z.int().nullable().describe('End of the period, in seconds since 1970.'),
  currency: z.string().nullable().describe('Lower case.'),
  productType: z.string().nullable().describe('`Teams` or `Essentials`.'),
  academyTitle: z.string().nullable().describe('Academy of an Essentials product.'),
  yearlyAmount: z.int().nullable().describe('US cents, or the smallest unit of the currency, per period.'),
  licenseCount: z.int().nullable().describe('Licences.'),
};

/** The running subscription of a customer. */
export const billingSubscription = z.object(subscriptionShape).meta({ title: 'BillingSubscription' });
export type BillingSubscription = z.infer<typeof billingSubscription>;

export const getSubscription = defineContract({
  summary: 'The running subscription of a customer; null without one.',
  kind: 'query',
  ...ofCustomer,
  rest: { method: 'GET', path: `${BASE}subscription/` },
  input: z.object(customer),
  output: z.object({ subscription: billingSubscription.nullable().describe('Active or in its trial.') }),
  errors: [noPurchase, stripeError],
});

export const cancelSubscription = defineContract({
  summary: 'End the subscription of a customer with its period.',
  kind: 'mutation',
  ...ofCustomer,
  rest: { method: 'POST', path: `${BASE}subscription/cancel/` },
  input: z.object(customer),
  output: billingSubscription,
  errors: [noStripeCustomer, noSubscription, alreadyScheduled, cannotCancelPlan, invalidStripeRequest, stripeError],
});

export const reinstateSubscription = defineContract({
  summary: 'Let the subscription of a customer go on that was to end with its period.',
  kind: 'mutation',
  ...ofCustomer,
  rest: { method: 'POST', path: `${BASE}subscription/reinstate/` },
  input: z.object(customer),
  output: billingSubscription,
  errors: [
    noStripeCustomer,
    noSubscription,
    notScheduled,
    periodEnded,
    cannotReinstatePlan,
    invalidStripeRequest,
    stripeError,
  ],
});
