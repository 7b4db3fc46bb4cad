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
  details: z.object({ policyUuid: z.string().describe('Policy that was busy.') }),
});

/** A policy in replies, with the totals of its budget. */
export const policy = z.object({
  uuid: z.string().describe('Identifies the policy.'),
  policyType: policyType.describe('Which rules decide about a redemption.'),
  displayName: z.string().nullable().describe('Name for administrators.'),
  description: z.string().describe('Free text for administrators.'),
  active: z.boolean().describe('False hides the policy from everybody: a soft delete.'),
  retired: z.boolean().describe('True stops redemptions; administrators still see the policy.'),
  retiredAt: z.date().nullable().describe('When the policy was retired.'),
  enterpriseCustomerUuid: z.string().describe('Customer that owns the budget.'),
  catalogUuid: z.string().describe('Catalog whose content may be redeemed.'),
  subsidyUuid: z.string().describe('Subsidy that pays.'),
  accessMethod: accessMethod.describe('How learners come to a redemption.'),
  perLearnerEnrollmentLimit: z.int().nullable().describe('Redemptions per learner; null is no limit.'),
  perLearnerSpendLimitCents: z.int().nullable().describe('US cents per learner; null is no limit.'),
  spendLimitCents: z.int().nullable().describe('US cents for the whole policy; null is no limit.'),
  lateRedemptionAllowedUntil: z.date().nullable().describe('Until then enrollment deadlines do not count.'),
  isLateRedemptionAllowed: z.boolean().describe('Whether deadlines do not count right now.'),
  subsidyActiveDatetime: z.date().nullable().describe('Start of the subsidy; null if unknown.'),
  subsidyExpirationDatetime: z.date().nullable().describe('End of the subsidy; null if unknown.'),
  isSubsidyActive: z.boolean().nullable().describe('Whether the subsidy is active; null if unknown.'),
  spentCents: z.int().min(0).describe('US cents that standing redemptions have taken.'),
  allocatedCents: z.int().min(0).describe('US cents reserved by allocated assignments.'),
  spendAvailableCents: z.int().min(0).nullable().describe('US cents left to spend; null if the subsidy is unknown.'),
  assignmentConfiguration: z
    .object({
      uuid: z.string().describe('Identifies the configuration.'),
      subsidyAccessPolicy: z.string().describe('The policy that it belongs to.'),
      enterpriseCustomerUuid: z.string().describe('Customer of the assignments.'),
      active: z.boolean().describe('Whether assignments can be made.'),
    })
    .nullable()
    .describe('Where the assignments of this policy are kept; null for policies without.'),
  learnerCreditRequestConfigUuid: z.string().nullable().describe('Browse & Request configuration, if there is one.'),
  groupAssociations: z.array(z.string()).describe('Groups whose members may redeem; empty is everybody.'),
  bnrEnabled: z.boolean().describe('Whether learners may request content.'),
  totalSpendLimitsForSubsidyCents: z
    .int()
    .describe('US cents: the limits of all active policies on this subsidy together.'),
  totalDepositsForSubsidyCents: z.int().describe('US cents ever deposited into the subsidy.'),
  created: z.date().describe('When the policy was created.'),
});
export type Policy = z.infer<typeof policy>;

const writable = {
  displayName: z.string().trim().max(512).nullable().describe('Name for administrators.'),
  description: z.string().trim().max(200).describe('Free text for administrators.'),
  active: z.boolean().describe('False hides the policy from everybody: a soft delete.'),
  retired: z.boolean().describe('True stops redemptions; administrators still see the policy.'),
  retiredAt: instant().nullable().describe('When the policy was retired.'),
  catalogUuid: uuid().describe('Catalog whose content may be redeemed.'),
  subsidyUuid: uuid().describe('Subsidy that pays.'),
  accessMethod: accessMethod.describe('How learners come to a redemption.'),
  spendLimit: limit().describe('US cents; null is no limit.'),
  perLearnerSpendLimit: limit().describe('US cents; null is no limit.'),
  perLearnerEnrollmentLimit: limit().describe('Redemptions; null is no limit.'),
  lateRedemptionAllowedUntil: instant().nullable().describe('Until then enrollment deadlines do not count.'),
};

/** The fields of a policy do not match its type (R-POL-02). */
export const invalidPolicy = defineError({
  code: 'invalid_policy',
  status: 400,
  message: 'The policy would break a rule.',
  details: z.object({
    field: z.string().describe('First field that breaks a rule.'),
    messages: z.array(z.string()).describe('What is wrong with it.'),
    fields: z
      .record(z.string(), z.array(z.string()))
      .describe('What is wrong with each field that breaks one.')
      .meta({ examples: [{ spendLimit: ['must define a spend_limit.'] }] }),
    kind: z.enum(['constraint', 'guard']).describe('A rule of the type, or a guard over money.'),
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
    enterpriseCustomerUuid: uuid().describe('Customer whose policies are wanted.'),
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
    policyType: policyType.describe('Which rules decide about a redemption.'),
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
    created: z.boolean().describe('False when the policy was there already.'),
  }),
  errors: [invalidPolicy],
});

export const update = defineContract({
  summary: 'Change fields of a policy; what is not named stays.',
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
  summary: 'Hide a policy from everybody. Allowed only while nothing is spent.',
  kind: 'mutation',
  permission: permissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'DELETE', path: '/api/v1/subsidy-access-policies/{uuid}/' },
  input: z.object({
    uuid: uuid().describe('Policy.'),
    reason: z.string().max(100).nullable().optional().describe('Goes into the history.'),
  }),
  output: policy,
  errors: [invalidPolicy],
});

/** The subsidy's ledger refused the deposit; the spend limit is unchanged. */
export const depositRefused = defineError({
  code: 'deposit_refused',
  status: 422,
  message: 'The deposit was refused.',
  details: z.object({ reason: z.string().describe('Machine name of the refusal.') }),
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
      .describe('Opportunity line item of the sale.'),
  }),
  output: policy,
  errors: [depositRefused],
});

export const setLateRedemption = defineContract({
  summary: 'Let learners redeem after enrollment deadlines for some days, or stop that.',
  kind: 'mutation',
  permission: permissions.has_write_access,
  context: { from: 'policy', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'POST', path: '/api/v1/subsidy-access-policies/{uuid}/late-redemption/' },
  input: z.object({
    uuid: uuid().describe('Policy.'),
    days: z.int().min(1).max(7).nullable().describe('Days from now, to the end of that day in UTC; null stops it.'),
  }),
  output: policy,
  errors: [],
});
