import { z } from 'zod';
import {
  type LegacyError,
  type LegacyForm,
  legacyReply,
  messagesByField,
  type QueryName,
  type RestRequest,
} from '../kernel/legacy.ts';
import { linkToPage } from '../kernel/links.ts';
import type { Page } from '../kernel/page.ts';
import { snakeCase, wireCodec } from '../kernel/wire.ts';
import * as catalogue from './catalogue-contract.ts';
import * as contract from './contract.ts';
import * as events from './event-contract.ts';
import * as management from './management-contract.ts';

const renamed = (shape: Readonly<Record<string, z.ZodType>>): Record<string, z.ZodType> =>
  Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]));
const wired = (schema: z.ZodObject, title: string) => z.object(renamed(schema.shape)).meta({ title });

const intentBody = wired(contract.checkoutIntent, 'CheckoutIntent');
const summaryBody = wired(events.stripeEventSummary, 'StripeEventSummary');
const productBody = wired(catalogue.sspProduct, 'SspProduct');

/** The page envelope of billing: without numbers of pages. */
const plainPage = (item: z.ZodType, title: string) =>
  z
    .object({
      count: z.int(),
      next: z.string().nullable().describe('Absolute URL of the next page.'),
      previous: z.string().nullable().describe('Absolute URL of the previous page.'),
      results: z.array(item),
    })
    .meta({ title });

const encodePlainPage = <T>(page: Page<T>, { url }: RestRequest, encode: (item: T) => unknown) => ({
  count: page.count,
  next: page.page * page.pageSize < page.count ? linkToPage(url, page.page + 1) : null,
  previous: page.page > 1 ? linkToPage(url, page.page - 1) : null,
  results: page.items.map(encode),
});

const intent = wireCodec(contract.checkoutIntent);
const summary = wireCodec(events.stripeEventSummary);
const product = wireCodec(catalogue.sspProduct);
const subscription = wireCodec(management.billingSubscription);

const bareText: LegacyError = { body: z.string(), encode: (_details: never, message: string) => message };
/** One sentence in a list; named, because generators of clients cannot put a nameless list into a union. */
const sentences = z.array(z.string()).meta({ title: 'Sentences' });
const bareList: LegacyError = { body: sentences, encode: (_details: never, message: string) => [message] };
const nothing: LegacyError = { body: z.undefined(), encode: () => undefined };

const decisionBody = z
  .object({ error_code: z.string(), developer_message: z.string() })
  .meta({ title: 'FieldDecisionBody' });

/** An error of the session with its code, in a list. */
const coded = (code: string, developerMessage?: string): LegacyError => ({
  body: z.object({ errors: z.array(decisionBody) }).meta({ title: 'CheckoutConflict' }),
  encode: (_details: never, message: string) => ({
    errors: [{ error_code: code, developer_message: developerMessage ?? message }],
  }),
});

const inError: LegacyError = {
  body: z.object({ error: z.string() }).meta({ title: 'BillingError' }),
  encode: (_details: never, message: string) => ({ error: message }),
};
const customerInQuery: Readonly<Record<string, QueryName>> = {
  enterprise_customer_uuid: {
    field: 'enterpriseCustomerUuid',
    description: 'Customer whose purchase it is.',
    example: '11111111-1111-4111-8111-111111111111',
  },
};

const managed = (of: { readonly errors: readonly { readonly code: string }[] }): LegacyForm => ({
  query: customerInQuery,
  errors: Object.fromEntries(of.errors.map(({ code }) => [code, inError])),
});

const PLAN_MISSING = 'subscription_plan_uuid query param is required';
const planMissing: LegacyError = {
  body: z.union([sentences, messagesByField]),
  encode: ({ fields }: { fields: Readonly<Record<string, readonly string[]>> }) =>
    fields.subscription_plan_uuid?.[0] === 'This field is required.' ? [PLAN_MISSING] : fields,
};

const portal = { nothing_to_manage: bareText, stripe_refused: bareText };
const portalBody = z
  .looseObject({ url: z.string().optional().describe('Where the portal is.') })
  .meta({ title: 'StripePortalSession' });

const academyBody = z
  .object({
    ...renamed(catalogue.academyProduct.omit({ prices: true }).shape),
    edx_catalog_id: z.int().nullable().describe('The same as `catalog_query_id`.'),
    prices: z.array(
      z
        .object({
          id: z.string(),
          product: z.string(),
          lookup_key: z.string(),
          currency: z.string(),
          unit_amount: z.int(),
          unit_amount_decimal: z.string(),
          recurring: z.object({ interval: z.string(), interval_count: z.int(), usage_type: z.string() }).nullable(),
        })
        .meta({ title: 'AcademyPriceBody' }),
    ),
  })
  .meta({ title: 'AcademyProductBody' });
const academy = wireCodec(catalogue.academyProduct);
const encodeAcademy = (found: catalogue.AcademyProduct) => ({
  ...(academy.encode(found) as object),
  edx_catalog_id: found.catalogQueryId,
});

const syncRefused: LegacyError = {
  body: z.object({ sync: z.array(z.string()) }).meta({ title: 'SyncRefused' }),
  encode: (_details: never, message: string) => ({ sync: [message] }),
};
const firstMessages: LegacyError = {
  body: z
    .looseObject({ non_field_errors: z.string().optional().describe('Message of the whole input.') })
    .meta({ title: 'FirstMessagesByField' }),
  encode: ({ fields }: { fields: Readonly<Record<string, readonly string[]>> }) =>
    Object.fromEntries(Object.entries(fields).map(([name, messages]) => [name, [messages].flat()[0] ?? ''])),
};

export const legacy: Readonly<Record<string, LegacyForm>> = {
  listCheckoutIntents: {
    reply: legacyReply(contract.listCheckoutIntents, {
      body: plainPage(intentBody, 'CheckoutIntentPage'),
      encode: (page, request) => encodePlainPage(page, request, intent.encode),
    }),
  },
  findCheckoutIntents: {
    reply: legacyReply(contract.findCheckoutIntents, {
      body: plainPage(intentBody, 'CheckoutIntentPage'),
      encode: (page, request) => encodePlainPage(page, request, intent.encode),
    }),
  },
  getCheckoutIntent: { errors: { bad_lookup: bareList } },
  updateCheckoutIntent: { errors: { bad_lookup: bareList } },
  createCheckoutSession: {
    errors: {
      checkout_refused: {
        body: z
          .looseObject({ quantity: decisionBody.optional().describe('Of the number of licences, as for each field.') })
          .meta({ title: 'CheckoutDecisions' }),
        encode: ({ decisions }: z.infer<typeof contract.checkoutRefused.details>) =>
          Object.fromEntries(
            Object.entries(decisions).map(([field, { errorCode, developerMessage }]) => [
              field,
              { error_code: errorCode, developer_message: developerMessage },
            ]),
          ),
      },
      checkout_intent_conflict_slug_reserved: coded('checkout_intent_conflict_slug_reserved'),
      checkout_intent_conflict_failed: coded(
        'checkout_intent_conflict_failed',
        'A failed checkout intent already exists for user.',
      ),
      checkout_intent_conflict_paid: coded('checkout_intent_conflict_paid'),
      stripe_refused: coded('stripe_refused'),
    },
  },
  createEnterprisePortalSession: {
    reply: legacyReply(contract.createEnterprisePortalSession, {
      body: portalBody,
      encode: ({ session }) => session,
    }),
    errors: portal,
  },
  createCheckoutPortalSession: {
    reply: legacyReply(contract.createCheckoutPortalSession, {
      body: portalBody,
      encode: ({ session }) => session,
    }),
    errors: portal,
  },
  listSspProducts: {
    reply: legacyReply(catalogue.listSspProducts, {
      body: z.array(productBody),
      encode: ({ products }) => products.map(product.encode),
    }),
  },
  listAcademyProducts: {
    reply: legacyReply(catalogue.listAcademyProducts, {
      body: z
        .object({
          count: z.int(),
          next: z.string().nullable(),
          previous: z.string().nullable(),
          results: z.array(academyBody),
        })
        .meta({ title: 'AcademyProducts' }),
      encode: ({ academies }) => ({
        count: academies.length,
        next: null,
        previous: null,
        results: academies.map(encodeAcademy),
      }),
    }),
    errors: { sync_not_supported: syncRefused, invalid_input: firstMessages },
  },
  getAcademyProduct: {
    reply: legacyReply(catalogue.getAcademyProduct, { body: academyBody, encode: encodeAcademy }),
    errors: { sync_not_supported: syncRefused, not_found: nothing },
  },
  listStripeEventSummaries: {
    reply: legacyReply(events.listStripeEventSummaries, {
      body: plainPage(summaryBody, 'StripeEventSummaryPage'),
      encode: (page, request) => encodePlainPage(page, request, summary.encode),
    }),
    errors: { invalid_input: planMissing },
  },
  getPlanInfo: { errors: { invalid_input: planMissing } },
  getFirstUpcomingInvoice: { errors: { invalid_input: planMissing } },
  getBillingAddress: managed(management.getBillingAddress),
  updateBillingAddress: managed(management.updateBillingAddress),
  listPaymentMethods: managed(management.listPaymentMethods),
  addPaymentMethod: managed(management.addPaymentMethod),
  setDefaultPaymentMethod: managed(management.setDefaultPaymentMethod),
  deletePaymentMethod: managed(management.deletePaymentMethod),
  listTransactions: managed(management.listTransactions),
  getSubscription: {
    ...managed(management.getSubscription),
    reply: legacyReply(management.getSubscription, {
      body: z.object(renamed(management.billingSubscription.shape)).partial().meta({ title: 'RunningSubscription' }),
      encode: ({ subscription: running }) => (running === null ? {} : subscription.encode(running)),
    }),
  },
  cancelSubscription: managed(management.cancelSubscription),
  reinstateSubscription: managed(management.reinstateSubscription),
};
