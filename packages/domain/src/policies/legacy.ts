import { z } from 'zod';
import { encodePage, pageEnvelope } from '../kernel/envelope.ts';
import { type LegacyForm, legacyReply } from '../kernel/legacy.ts';
import { dollarsOfCents } from '../kernel/money.ts';
import { snakeCase } from '../kernel/wire.ts';
import * as contract from './contract.ts';

const time = z.date().nullable();

/** Reply fields of POST. */
const crudFields = z.object({
  uuid: z.string(),
  policy_type: contract.policyType,
  display_name: z.string().nullable(),
  description: z.string(),
  active: z.boolean(),
  retired: z.boolean(),
  retired_at: time,
  enterprise_customer_uuid: z.string(),
  catalog_uuid: z.string(),
  subsidy_uuid: z.string(),
  access_method: contract.accessMethod,
  per_learner_enrollment_limit: z.int().nullable(),
  per_learner_spend_limit: z.int().nullable(),
  spend_limit: z.int().nullable(),
  subsidy_active_datetime: time,
  subsidy_expiration_datetime: time,
  is_subsidy_active: z.boolean().nullable(),
  group_associations: z.array(z.string()),
  late_redemption_allowed_until: time,
  is_late_redemption_allowed: z.boolean(),
});

const crudBody = crudFields.meta({ title: 'CreatedPolicy' });

/** Reply of the other operations. */
const responseBody = crudFields
  .extend({
    aggregates: z
      .object({
        amount_redeemed_usd_cents: z.int(),
        amount_redeemed_usd: z.number(),
        amount_allocated_usd_cents: z.int(),
        amount_allocated_usd: z.number(),
        spend_available_usd_cents: z.int().nullable(),
        spend_available_usd: z.number().nullable(),
      })
      .meta({ title: 'PolicyAggregates' }),
    assignment_configuration: z
      .object({
        uuid: z.string(),
        subsidy_access_policy: z.string(),
        enterprise_customer_uuid: z.string(),
        active: z.boolean(),
      })
      .meta({ title: 'AssignmentConfigurationSummary' })
      .nullable(),
    created: z.date(),
    bnr_enabled: z.boolean(),
    total_spend_limits_for_subsidy: z.int(),
    total_deposits_for_subsidy: z.int(),
  })
  .meta({ title: 'Policy' });

const crudForm = (policy: contract.Policy): z.infer<typeof crudBody> => ({
  uuid: policy.uuid,
  policy_type: policy.policyType,
  display_name: policy.displayName,
  description: policy.description,
  active: policy.active,
  retired: policy.retired,
  retired_at: policy.retiredAt,
  enterprise_customer_uuid: policy.enterpriseCustomerUuid,
  catalog_uuid: policy.catalogUuid,
  subsidy_uuid: policy.subsidyUuid,
  access_method: policy.accessMethod,
  per_learner_enrollment_limit: policy.perLearnerEnrollmentLimit,
  per_learner_spend_limit: policy.perLearnerSpendLimitCents,
  spend_limit: policy.spendLimitCents,
  subsidy_active_datetime: policy.subsidyActiveDatetime,
  subsidy_expiration_datetime: policy.subsidyExpirationDatetime,
  is_subsidy_active: policy.isSubsidyActive,
  group_associations: policy.groupAssociations,
  late_redemption_allowed_until: policy.lateRedemptionAllowedUntil,
  is_late_redemption_allowed: policy.isLateRedemptionAllowed,
});

const responseForm = (policy: contract.Policy): z.infer<typeof responseBody> => {
  const { assignmentConfiguration: configuration } = policy;
  return {
    ...crudForm(policy),
    aggregates: {
      amount_redeemed_usd_cents: policy.spentCents,
      amount_redeemed_usd: dollarsOfCents(policy.spentCents),
      amount_allocated_usd_cents: policy.allocatedCents,
      amount_allocated_usd: dollarsOfCents(policy.allocatedCents),
      spend_available_usd_cents: policy.spendAvailableCents,
      spend_available_usd: policy.spendAvailableCents === null ? null : dollarsOfCents(policy.spendAvailableCents),
    },
    assignment_configuration: configuration && {
      uuid: configuration.uuid,
      subsidy_access_policy: configuration.subsidyAccessPolicy,
      enterprise_customer_uuid: configuration.enterpriseCustomerUuid,
      active: configuration.active,
    },
    created: policy.created,
    bnr_enabled: policy.bnrEnabled,
    total_spend_limits_for_subsidy: policy.totalSpendLimitsForSubsidyCents,
    total_deposits_for_subsidy: policy.totalDepositsForSubsidyCents,
  };
};

const messages = z.array(z.string()).meta({ title: 'Messages' });
const messagesByField = z
  .object({ non_field_errors: z.array(z.string()).optional() })
  .catchall(messages)
  .meta({ title: 'MessagesByField' });

type Broken = z.infer<typeof contract.invalidPolicy.details>;

const byField = ({ fields }: Broken) =>
  Object.fromEntries(Object.entries(fields).map(([field, texts]) => [snakeCase(field), texts]));

/** Prefix of a violation message: type and uuid of the policy (R-POL-02). */
const prefixOf = ({ kind }: Broken, message: string): string =>
  kind === 'constraint' ? (/^<[^>]*> /.exec(message)?.[0] ?? '') : '';

/** POST returns violations by field; updates return a list with the whole message. */
const brokenOnCreate = {
  body: messagesByField,
  encode: (broken: Broken, message: string) => {
    const prefix = prefixOf(broken, message);
    return Object.fromEntries(
      Object.entries(byField(broken)).map(([field, texts]) => [field, texts.map((text) => `${prefix}${text}`)]),
    );
  },
};
const brokenOnUpdate = {
  body: z.union([messages, messagesByField]),
  encode: (broken: Broken, message: string) => (broken.kind === 'constraint' ? [message] : byField(broken)),
};

const single = <
  C extends
    | typeof contract.get
    | typeof contract.update
    | typeof contract.deactivate
    | typeof contract.deposit
    | typeof contract.setLateRedemption,
>(
  of: C,
) => legacyReply(of, { body: responseBody, encode: responseForm });

export const legacy: Readonly<Record<string, LegacyForm>> = {
  list: {
    reply: legacyReply(contract.list, {
      body: pageEnvelope(responseBody),
      encode: (page, request) => encodePage(page, request, responseForm),
    }),
  },
  get: { reply: single(contract.get) },
  create: {
    reply: legacyReply(contract.create, {
      body: crudBody,
      encode: ({ policy }) => crudForm(policy),
      status: ({ created }) => (created ? 201 : 200),
      statuses: [200, 201],
    }),
    errors: { invalid_policy: brokenOnCreate },
  },
  update: { reply: single(contract.update), errors: { invalid_policy: brokenOnUpdate } },
  deactivate: {
    reply: single(contract.deactivate),
    errors: { invalid_policy: brokenOnUpdate, not_found: { body: z.undefined(), encode: () => undefined } },
  },
  deposit: { reply: single(contract.deposit) },
  setLateRedemption: { reply: single(contract.setLateRedemption) },
};
