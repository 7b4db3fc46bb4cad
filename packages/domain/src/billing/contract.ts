import { z } from 'zod';
import { defineContract, noCustomer } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { jsonObject } from '../kernel/metadata.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { signedIn } from '../kernel/permissions.ts';
import { billingPermissions } from './permissions.ts';
import { states } from './states-contract.ts';

const INT32 = 2_147_483_647;
const none = z.object({});
const text = (maximum = 255) => z.string().max(maximum);
const PAGE = { defaultSize: 100, maximumSize: 100 };
const SLUG = /^[-a-zA-Z0-9_]*$/;
const SLUG_MESSAGE = 'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.';

/** A purchase from its form on: what it reserves, and how far it has come. */
export const checkoutIntent = z
  .object({
    id: z.int().describe('Number of the intent, for callers who cannot use uuids.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
    uuid: z.string().describe('Identifies the intent.'),
    state: openEnum(states).describe('How far the purchase has come.'),
    enterpriseName: z.string().nullable().describe('Name that is reserved for the customer.'),
    enterpriseSlug: z.string().nullable().describe('Slug that is reserved for the customer.'),
    enterpriseUuid: z.string().nullable().describe('The customer, once provisioning has built it.'),
    stripeCustomerId: z.string().nullable().describe('Customer at Stripe: the person who buys.'),
    expiresAt: z.date().describe('End of the reservation, unless it is paid before.'),
    stripeCheckoutSessionId: z.string().nullable().describe('The last session at Stripe.'),
    quantity: z.int().describe('Number of licences.'),
    country: z.string().nullable().describe('Two letters of the country.'),
    lastCheckoutError: z.string().nullable().describe('Why the checkout failed last.'),
    lastProvisioningError: z.string().nullable().describe('Why provisioning failed last.'),
    termsMetadata: jsonObject().nullable().describe('Acceptance of the terms. Personal data.'),
    user: z.int().describe('Local user id of the buyer.'),
    workflow: z.string().nullable().describe('Workflow that provisions the customer.'),
    sspProduct: z.string().describe('Slug of the product.'),
    stripeProductId: z.string().describe('Stripe product of an academy; empty for Teams.'),
  })
  .meta({ title: 'CheckoutIntent' });
export type CheckoutIntent = z.infer<typeof checkoutIntent>;

/** Neither a uuid nor a number. */
export const badLookup = defineError({
  code: 'bad_lookup',
  status: 400,
  message: 'Lookup value must be either a valid UUID or integer ID',
  details: none,
});

export const intentNotFound = defineError({
  code: 'checkout_intent_not_found',
  status: 404,
  message: 'CheckoutIntent not found',
  details: none,
});

/** Another buyer holds the slug or the name. */
export const slugReserved = defineError({
  code: 'checkout_intent_conflict_slug_reserved',
  status: 422,
  message: 'enterprise_slug or enterprise_name has already been reserved.',
  details: none,
});

export const failedIntentExists = defineError({
  code: 'checkout_intent_conflict_failed',
  status: 422,
  message: 'Requesting user already has a failed CheckoutIntent.',
  details: none,
});

/** The caller has paid for this product already; a second session would charge again. */
export const alreadyPaid = defineError({
  code: 'checkout_intent_conflict_paid',
  status: 422,
  message: 'Requesting user has already paid for this product.',
  details: none,
});

const own = { permission: signedIn, context: noCustomer } as const;
const INTENTS = '/api/v1/checkout-intent/';
const intentKey = {
  intent: text(64)
    .describe('Uuid or number of the intent.')
    .meta({ examples: ['123456789'] }),
};
const terms = () =>
  z
    .custom<Record<string, unknown>>((value) => jsonObject().safeParse(value).success, {
      error: 'terms_metadata must be a dictionary/object, not a list or string.',
    })
    .refine((value) => JSON.stringify(value).length <= 16_384, 'Ensure this value has no more than 16384 characters.')
    .meta({ type: 'object', propertyNames: { type: 'string' }, additionalProperties: {} });

export const listCheckoutIntents = defineContract({
  summary: 'The caller’s checkout intents, newest first; staff of the platform get those of everybody.',
  kind: 'query',
  ...own,
  rest: { method: 'GET', path: INTENTS },
  input: z.object(pageInput(PAGE)),
  output: pageOutput(checkoutIntent),
  errors: [],
});

export const getCheckoutIntent = defineContract({
  summary: 'One of the caller’s checkout intents; made to be polled.',
  kind: 'query',
  ...own,
  rest: { method: 'GET', path: `${INTENTS}{intent}/` },
  input: z.object(intentKey),
  output: checkoutIntent,
  errors: [badLookup, intentNotFound],
});

export const createCheckoutIntent = defineContract({
  summary:
    'Reserve slug and name for a purchase. The caller’s intent for the product is updated; a paid one is returned as it is.',
  kind: 'mutation',
  ...own,
  rest: { method: 'POST', path: INTENTS, status: 201 },
  input: z.object({
    quantity: z.int().min(1).max(1_000).describe('Licences to buy.'),
    enterpriseSlug: text().regex(SLUG, SLUG_MESSAGE).nullish().describe('Slug to reserve; needs a name.'),
    enterpriseName: text().nullish().describe('Name to reserve; needs a slug.'),
    country: text()
      .nullish()
      .describe('Two letters, or the English name.')
      .meta({ examples: ['JP'] }),
    termsMetadata: terms().nullish().describe('Acceptance of the terms, added to what was given before.'),
    sspProduct: text().nullish().describe('Slug of the product; without it the caller’s only one, or Teams.'),
  }),
  output: checkoutIntent,
  errors: [slugReserved, failedIntentExists],
});

export const updateCheckoutIntent = defineContract({
  summary: 'Change state, country or terms of an intent. Other fields are ignored.',
  kind: 'mutation',
  ...own,
  rest: { method: 'PATCH', path: `${INTENTS}{intent}/` },
  input: z.object({
    ...intentKey,
    state: z
      .enum(states)
      .optional()
      .describe('Buyers can give up (`expired`) and begin again (`created`); staff can set what the table allows.'),
    country: text()
      .nullable()
      .optional()
      .describe('Two letters, or the English name.')
      .meta({ examples: ['JP'] }),
    termsMetadata: terms().nullable().optional().describe('Replaces the acceptance of the terms.'),
  }),
  output: checkoutIntent,
  errors: [badLookup, intentNotFound, slugReserved],
});

export const findCheckoutIntents = defineContract({
  summary: 'Checkout intents of everybody, newest first, for operators of billing.',
  kind: 'query',
  permission: billingPermissions.checkout_intent_read_write_all,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  rest: { method: 'GET', path: '/api/v1/billing/checkout-intents/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().optional().describe('Only intents of this customer.'),
    state: z.enum(states).optional().describe('Only intents in this state.'),
    enterpriseSlug: text().optional().describe('Only intents with this slug.'),
    ...pageInput(PAGE),
  }),
  output: pageOutput(checkoutIntent),
  errors: [],
});

/** A field of the form that does not pass. */
export const fieldDecision = z
  .object({
    errorCode: z.string().describe('Machine name.'),
    developerMessage: z.string().describe('The reason, for developers.'),
  })
  .meta({ title: 'FieldDecision' });
export type Decision = z.infer<typeof fieldDecision>;

export const checkoutRefused = defineError({
  code: 'checkout_refused',
  status: 422,
  message: 'Some of the fields do not pass.',
  details: z.object({ decisions: z.record(z.string(), fieldDecision).describe('Decisions by field, as on the wire.') }),
});

/** Stripe refuses the request. */
export const stripeRefused = defineError({
  code: 'stripe_refused',
  status: 422,
  message: 'Stripe refuses the request.',
  details: none,
});

export const createCheckoutSession = defineContract({
  summary:
    'Begin a purchase: check the form, reserve slug and name, and open a session at Stripe. The same request gets the same open session.',
  kind: 'mutation',
  ...own,
  rest: { method: 'POST', path: '/api/v1/customer-billing/create-checkout-session/', status: 201 },
  input: z.object({
    adminEmail: z.email().max(254).describe('Address of the buyer. Personal data.'),
    enterpriseSlug: text().min(1).regex(SLUG, SLUG_MESSAGE).describe('Slug of the future customer.'),
    companyName: text().min(1).describe('Name of the future customer.'),
    quantity: z.int().min(1).max(INT32).describe('Licences to buy.'),
    stripePriceId: text().min(1).describe('Price to pay, as the price list names it.'),
    sspProductSlug: text().min(1).optional().describe('Product to buy; without it the one with the price.'),
  }),
  output: z.object({ checkoutSessionClientSecret: z.string().describe('For Stripe’s form in the browser.') }),
  errors: [checkoutRefused, slugReserved, failedIntentExists, alreadyPaid, stripeRefused],
});

const portalSession = z.object({
  url: z.string().describe('Where to send the browser.'),
  session: jsonObject().describe('The whole session, as Stripe describes it.'),
});

/** There is no intent, or nobody at Stripe behind it. */
export const nothingToManage = defineError({
  code: 'nothing_to_manage',
  status: 404,
  message: 'There is no customer at Stripe for this purchase.',
  details: none,
});

export const createEnterprisePortalSession = defineContract({
  summary: 'Open Stripe’s portal for the administrators of a customer.',
  kind: 'query',
  permission: billingPermissions.create_portal_session,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: '/api/v1/customer-billing/create-enterprise-admin-portal-session/' },
  input: z.object({ enterpriseCustomerUuid: uuid().describe('Customer whose purchase it is.') }),
  output: portalSession,
  errors: [nothingToManage, stripeRefused],
});

export const createCheckoutPortalSession = defineContract({
  summary: 'Open Stripe’s portal for the buyer of an intent; nobody else, not even staff.',
  kind: 'query',
  ...own,
  rest: { method: 'GET', path: '/api/v1/customer-billing/{intent}/create-checkout-portal-session/' },
  input: z.object(intentKey),
  output: portalSession,
  errors: [nothingToManage, stripeRefused],
});
