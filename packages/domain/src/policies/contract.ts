import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { instant, uuid } from '../kernel/ids.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { permissions } from './permissions.ts';

export const policyTypes = [
  'PerLearnerEnrollmentCreditAccessPolicy',
  'PerLearnerSpendCreditAccessPolicy',
  'AssignedLearnerCreditAccessPolicy',
] as const;
export const accessMethods = ['direct', 'request', 'assigned'] as const;
export const policyType = z.enum(policyTypes).meta({ title: 'PolicyType' });
export const accessMethod = z.enum(accessMethods).meta({ title: 'AccessMethod' });

const INT32 = 2_147_483_647;
const int32 = () =>
  z
    .int()
    .min(-INT32 - 1)
    .max(INT32);
const limit = () => int32().min(0).nullable();

/** Concurrent requests kept changing the budget; nothing was spent or allocated, and a retry is safe (R-RED-32). */
export const policyLocked = defineError({
  code: 'policy_locked',
  status: 429,
  message: 'Enrollment currently locked for this subsidy access policy.',
  details: z.object({ policyUuid: z.string().describe('The policy that was changed concurrently.') }),
});

/** A policy in replies, with the totals of its budget. */
export const policy = z.object({
  uuid: z.string().describe('Identifies the policy.'),
  policyType: policyType.describe('Type of the policy; decides which rules apply to a redemption.'),
  displayName: z.string().nullable().describe('Name for administrators.'),
  description: z.string().describe('Free text for administrators.'),
  active: z.boolean().describe('False is a soft delete: the policy is hidden.'),
  retired: z.boolean().describe('True stops redemptions; administrators can still see the policy.'),
  retiredAt: z.date().nullable().describe('Time of retirement.'),
  enterpriseCustomerUuid: z.string().describe('Customer that owns the budget.'),
  catalogUuid: z.string().describe('Catalog with the redeemable content.'),
  subsidyUuid: z.string().describe('Subsidy that pays.'),
  accessMethod: accessMethod.describe('Access method: direct redemption, assignment or request.'),
  perLearnerEnrollmentLimit: z.int().nullable().describe('Redemptions per learner; null means no limit.'),
  perLearnerSpendLimitCents: z.int().nullable().describe('US cents per learner; null means no limit.'),
  spendLimitCents: z.int().nullable().describe('US cents for the whole policy; null means no limit.'),
  lateRedemptionAllowedUntil: z.date().nullable().describe('Until this time, enrollment deadlines are ignored.'),
  isLateRedemptionAllowed: z.boolean().describe('Whether enrollment deadlines are ignored now.'),
  subsidyActiveDatetime: z.date().nullable().describe('Start of the subsidy; null if unknown.'),
  subsidyExpirationDatetime: z.date().nullable().describe('End of the subsidy; null if unknown.'),
  isSubsidyActive: z.boolean().nullable().describe('Whether the subsidy is active; null if unknown.'),
  spentCents: z.int().min(0).describe('US cents spent by pending and committed redemptions.'),
  allocatedCents: z.int().min(0).describe('US cents reserved by allocated assignments.'),
  spendAvailableCents: z
    .int()
    .min(0)
    .nullable()
    .describe('US cents available to spend; null if the subsidy is unknown.'),
  assignmentConfiguration: z
    .object({
      uuid: z.string().describe('Identifies the configuration.'),
      subsidyAccessPolicy: z.string().describe('Policy of the configuration.'),
      enterpriseCustomerUuid: z.string().describe('Customer of the assignments.'),
      active: z.boolean().describe('Whether the configuration is active.'),
    })
    .nullable()
    .describe('Assignment configuration of the policy; null for other policy types.'),
  learnerCreditRequestConfigUuid: z.string().nullable().describe('Browse & Request configuration, if there is one.'),
  groupAssociations: z.array(z.string()).describe('Groups whose members can redeem; empty means all learners.'),
  bnrEnabled: z.boolean().describe('Whether learners can request content.'),
  totalSpendLimitsForSubsidyCents: z
    .int()
    .describe('Sum of the spend limits of all active policies on this subsidy, in US cents.'),
  totalDepositsForSubsidyCents: z.int().describe('Total deposits of the subsidy in US cents.'),
  created: z.date().describe('Time of creation.'),
});
export type Policy = z.infer<typeof policy>;

const writable = {
  displayName: z.string().trim().max(512).nullable().describe('Name for administrators.'),
  description: z.string().trim().max(200).describe('Free text for administrators.'),
  active: z.boolean().describe('False is a soft delete: the policy is hidden.'),
  retired: z.boolean().describe('True stops redemptions; administrators can still see the policy.'),
  retiredAt: instant().nullable().describe('Time of retirement.'),
  catalogUuid: uuid().describe('Catalog with the redeemable content.'),
  subsidyUuid: uuid().describe('Subsidy that pays.'),
  accessMethod: accessMethod.describe('Access method: direct redemption, assignment or request.'),
  spendLimit: limit().describe('US cents; null means no limit.'),
  perLearnerSpendLimit: limit().describe('US cents; null means no limit.'),
  perLearnerEnrollmentLimit: limit().describe('Redemptions; null means no limit.'),
  lateRedemptionAllowedUntil: instant().nullable().describe('Until this time, enrollment deadlines are ignored.'),
};

/** The fields of a policy do not match its type (R-POL-02). */
export const invalidPolicy = defineError({
  code: 'invalid_policy',
  status: 400,
  message: 'The policy would violate a rule.',
  details: z.object({
    field: z.string().describe('First invalid field.'),
    messages: z.array(z.string()).describe('Message for that field.'),
    fields: z
      .record(z.string(), z.array(z.string()))
      .describe('Messages of all invalid fields.')
      .meta({ examples: [{ spendLimit: ['must define a spend_limit.'] }] }),
    kind: z
      .enum(['constraint', 'guard'])
      .describe('Whether a constraint of the policy type or a guard on spend is violated.'),
  }),
});

export const list = defineContract({
  summary: 'Policies of a customer with the totals of their budgets, newest first.',
  kind: 'query',
  permission: permissions.has_read_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: '/api/v1/subsidy-access-policies/' },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Only policies of this customer.'),
    active: z.boolean().optional().describe('Only active, or only inactive ones.'),
    policyType: z.string().max(64).optional().describe('Only policies of this type.'),
    ...pageInput({ defaultSize: 100, maximumSize: 100 }),
  }),
  output: pageOutput(policy),
  errors: [],
});

export const get = defineContract({
  summary: 'One policy with the totals of its budget.',
  kind: 'query',
  permission: permissions.has_read_access,
  context: { from: 'policy', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: '/api/v1/subsidy-access-policies/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Policy.') }),
  output: policy,
  errors: [],
});

export const create = defineContract({
  summary: 'Create a policy, or find the active one with the same type, customer, subsidy, catalog and access method.',
  kind: 'mutation',
  permission: permissions.has_write_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v1/subsidy-access-policies/', status: 201 },
  input: z.object({
    policyType: policyType.describe('Type of the policy; decides which rules apply to a redemption.'),
    enterpriseCustomerUuid: uuid().describe('Customer that owns the budget.'),
    ...writable,
    displayName: writable.displayName.default(null),
    description: writable.description.default(''),
    active: writable.active.default(false),
    retired: writable.retired.default(false),
    retiredAt: writable.retiredAt.default(null),
    spendLimit: writable.spendLimit.default(null),
    perLearnerSpendLimit: writable.perLearnerSpendLimit.default(null),
    perLearnerEnrollmentLimit: writable.perLearnerEnrollmentLimit.default(null),
    lateRedemptionAllowedUntil: writable.lateRedemptionAllowedUntil.default(null),
  }),
  output: z.object({
    policy: policy.describe('The policy, new or found.'),
    created: z.boolean().describe('False if the policy existed.'),
  }),
  errors: [invalidPolicy],
});

export const update = defineContract({
  summary: 'Update fields of a policy; omitted fields are not changed.',
  kind: 'mutation',
  permission: permissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'PATCH', alsoMethods: ['PUT'], path: '/api/v1/subsidy-access-policies/{uuid}/' },
  input: z
    .strictObject({
      uuid: uuid().describe('Policy.'),
      ...writable,
      subsidyActiveDatetime: z.unknown().describe('Ignored: belongs to the subsidy.'),
      subsidyExpirationDatetime: z.unknown().describe('Ignored: belongs to the subsidy.'),
      isSubsidyActive: z.unknown().describe('Ignored: belongs to the subsidy.'),
    })
    .partial()
    .required({ uuid: true }),
  output: policy,
  errors: [invalidPolicy],
});

export const deactivate = defineContract({
  summary: 'Soft-delete a policy. Allowed only while nothing is spent.',
  kind: 'mutation',
  permission: permissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'DELETE', path: '/api/v1/subsidy-access-policies/{uuid}/' },
  input: z.object({
    uuid: uuid().describe('Policy.'),
    reason: z.string().max(100).nullable().optional().describe('Reason, stored in the history.'),
  }),
  output: policy,
  errors: [invalidPolicy],
});

/** The subsidy's ledger refused the deposit; the spend limit is unchanged. */
export const depositRefused = defineError({
  code: 'deposit_refused',
  status: 422,
  message: 'The deposit was refused.',
  details: z.object({ reason: z.string().describe('Code of the refusal.') }),
});

export const deposit = defineContract({
  summary: 'Add value to the subsidy of a policy and raise its spend limit by the same amount.',
  kind: 'mutation',
  permission: permissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v1/subsidy-access-policies/{uuid}/deposit/' },
  input: z.object({
    uuid: uuid().describe('Policy.'),
    quantityCents: z.int().min(100).max(INT32).describe('US cents to add; at least one dollar.'),
    salesContractReferenceId: z
      .string()
      .regex(/^00[kK][0-9a-zA-Z]{15}$/, 'Enter a valid opportunity line item id.')
      .describe('Sales line item (opportunity).'),
  }),
  output: policy,
  errors: [depositRefused],
});

export const setLateRedemption = defineContract({
  summary: 'Allow redemptions after enrollment deadlines for a number of days, or stop it.',
  kind: 'mutation',
  permission: permissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v1/subsidy-access-policies/{uuid}/late-redemption/' },
  input: z.object({
    uuid: uuid().describe('Policy.'),
    days: z.int().min(1).max(7).nullable().describe('Days from now, until the end of that day in UTC; null stops it.'),
  }),
  output: policy,
  errors: [],
});
