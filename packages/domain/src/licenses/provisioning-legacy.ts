import { z } from 'zod';
import { encodePlainPage, plainEnvelope } from '../kernel/envelope.ts';
import type { FieldErrors } from '../kernel/errors.ts';
import { type LegacyError, type LegacyForm, legacyReply, messagesByField } from '../kernel/legacy.ts';
import { snakeCase, wireCodec } from '../kernel/wire.ts';
import * as agreement from './agreements/provisioning-contract.ts';
import { agreementReply, planPageReply, planReply } from './legacy.ts';
import * as plan from './plans/provisioning-contract.ts';
import * as product from './products/contract.ts';
import * as renewal from './renewals/contract.ts';
import { renewal as renewalView } from './view-contract.ts';

/** Provisioning wraps its refusals: a sentence, or messages by field. */
const wrapped = z.object({ error: z.union([z.string(), messagesByField]) }).meta({ title: 'WrappedError' });
const wrappedMessage: LegacyError = {
  body: wrapped,
  encode: (_details: never, message: string) => ({ error: message }),
};

const NOT_A_DICTIONARY = /^Invalid data\. Expected a dictionary, but got (\w+)\.$/;

/** Documents the form: generated examples have no fields. */
const EXAMPLE: FieldErrors = { title: ['This field is required.'] };

function wrappedFields({ fields: given }: { readonly fields: FieldErrors | null }): unknown {
  const fields = given ?? EXAMPLE;
  const [whole] = Array.isArray(fields.non_field_errors) ? fields.non_field_errors : [];
  const type = NOT_A_DICTIONARY.exec(String(whole))?.[1];
  return { error: type === undefined ? fields : `'${type}' object has no attribute 'get'` };
}

const wrappedInput: LegacyError = { body: wrapped, encode: wrappedFields };
/** A malformed customer in the query is refused in the form of the lists. */
const wrappedOrPlain = z.union([wrapped, z.object({ detail: z.string() })]);
const bareSentence: LegacyError = { body: z.string(), encode: (_details: never, message: string) => message };

const ofPlans: Pick<LegacyForm, 'errors' | 'unreadable'> = {
  errors: { plan_refused: wrappedMessage, invalid_input: wrappedInput },
  unreadable: { error: 'Unknown error.' },
};

/** The fields that the old service answered; the job that adds licences is not one of them. */
const planBody = (omitted: readonly string[]) =>
  z
    .object(
      Object.fromEntries(
        Object.entries(plan.provisionedPlan.omit({ provisioningJob: true }).shape as Record<string, z.ZodType>)
          .filter(([name]) => !omitted.includes(name))
          .map(([name, field]) => [snakeCase(name), field]),
      ),
    )
    .meta({ title: omitted.length > 0 ? 'UpdatedSubscriptionPlan' : 'CreatedSubscriptionPlan' });

const encodeCreated = wireCodec(plan.create.output.omit({ provisioningJob: true })).encode;
const encodeUpdated = wireCodec(plan.update.output.omit({ provisioningJob: true })).encode;

const UNREAD = { isMalformedPathUnknown: true } as const;

export const agreementForms: Readonly<Record<string, LegacyForm>> = {
  create: { reply: legacyReply(agreement.create, agreementReply) },
  getForProvisioning: { ...UNREAD, reply: legacyReply(agreement.getForProvisioning, agreementReply) },
  update: {
    ...UNREAD,
    reply: legacyReply(agreement.update, agreementReply),
    errors: { customer_is_fixed: bareSentence },
  },
  setAutoAppliedPlan: { ...UNREAD, reply: legacyReply(agreement.setAutoAppliedPlan, agreementReply) },
};

export const planForms: Readonly<Record<string, LegacyForm>> = {
  create: { ...ofPlans, reply: legacyReply(plan.create, { body: planBody([]), encode: encodeCreated }) },
  update: {
    ...UNREAD,
    ...ofPlans,
    errors: { ...ofPlans.errors, invalid_input: { ...wrappedInput, body: wrappedOrPlain } },
    query: {
      include_inactive: {
        field: 'includeInactive',
        description: 'Include plans that are not active: true or false.',
        example: 'true',
      },
      enterprise_customer_uuid: {
        field: 'enterpriseCustomerUuid',
        description: 'Only if the plan belongs to this customer.',
        example: '378d5bf0-f67d-4bf7-8b2a-cbbc53d0f772',
      },
    },
    reply: legacyReply(plan.update, { body: planBody(['isCurrent', 'created', 'planType']), encode: encodeUpdated }),
  },
  listForProvisioning: { reply: legacyReply(plan.listForProvisioning, planPageReply) },
  getForProvisioning: {
    ...UNREAD,
    reply: legacyReply(plan.getForProvisioning, planReply),
    errors: { not_found: { body: wrapped, encode: () => ({ error: 'No record found.' }) } },
  },
};

const renamed = (shape: Readonly<Record<string, z.ZodType>>, title: string) =>
  z.object(Object.fromEntries(Object.entries(shape).map(([name, field]) => [snakeCase(name), field]))).meta({ title });

const encodeRenewal = wireCodec(renewalView).encode;
const renewalBody = renamed(renewalView.shape, 'SubscriptionPlanRenewal');
const encodeProduct = wireCodec(product.product).encode;
const encodePlanType = wireCodec(product.planType).encode;

export const productForms: Readonly<Record<string, LegacyForm>> = {
  list: {
    reply: legacyReply(product.list, {
      body: plainEnvelope(renamed(product.product.shape, 'Product')),
      encode: (page, request) => encodePlainPage(page, request, encodeProduct),
    }),
  },
  update: UNREAD,
  listPlanTypes: {
    reply: legacyReply(product.listPlanTypes, {
      body: plainEnvelope(renamed(product.planType.shape, 'PlanType')),
      encode: (page, request) => encodePlainPage(page, request, encodePlanType),
    }),
  },
  updatePlanType: UNREAD,
};

export const renewalForms: Readonly<Record<string, LegacyForm>> = {
  list: {
    reply: legacyReply(renewal.list, {
      body: plainEnvelope(renewalBody),
      encode: (page, request) => encodePlainPage(page, request, encodeRenewal),
    }),
  },
  get: UNREAD,
  create: {
    reply: legacyReply(renewal.create, {
      body: renewalBody,
      encode: (output) => encodeRenewal(output.renewal),
      status: ({ created }) => (created ? 201 : 200),
      statuses: [200, 201],
    }),
    errors: {
      renewal_conflict: {
        body: renewalBody,
        encode: (details: z.infer<typeof renewal.renewalConflict.details>) => encodeRenewal(details.renewal),
      },
    },
  },
  update: UNREAD,
  remove: UNREAD,
  process: {
    ...UNREAD,
    reply: legacyReply(renewal.process, {
      body: renewalBody,
      encode: (output) => encodeRenewal(output.renewal),
      status: ({ processedNow }) => (processedNow ? 201 : 200),
      statuses: [200, 201],
    }),
    errors: {
      renewal_refused: {
        body: z.object({ error: z.string() }).meta({ title: 'SentenceError' }),
        encode: wrappedMessage.encode,
      },
    },
  },
  preview: UNREAD,
};
