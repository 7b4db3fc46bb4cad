import { z } from 'zod';
import { defineContract, ofPlatform } from '../../kernel/contract.ts';
import { defineError } from '../../kernel/errors.ts';
import { instant, uuid } from '../../kernel/ids.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';
import { LONGEST, plan, planSummary } from '../view-contract.ts';

export const PROVISIONING_BASE = '/api/v1/provisioning-admins/subscriptions/';
const INT32 = 2_147_483_647;
const permission = permissions.has_provisioning_admin_access;
const planUuid = () => uuid().describe('Plan.');

export const changeReasons = [
  'new',
  'incorrect_user_input',
  'delayed_payment',
  'organization_requested_change',
  'other',
] as const;

/** A rule of provisioning refuses the plan; the message says which. */
export const planRefused = defineError({
  code: 'plan_refused',
  status: 400,
  message: 'The plan cannot be provisioned like this.',
  details: z.object({}),
});

export const cannotFreeze = defineError({
  code: 'cannot_freeze',
  status: 422,
  message: 'The plan does not support freezing unused licenses.',
  details: z.object({}),
});

/** The same fields for creation and change. */
const fields = {
  title: z.string().trim().min(1).max(LONGEST.title).describe('Title, unique among the plans of the agreement.'),
  startDate: instant().describe('From this time on licences can be activated.'),
  expirationDate: instant().describe('Until this time licences can be activated and used.'),
  isActive: z.boolean().describe('Whether the plan is in use.'),
  isRevocationCapEnabled: z.boolean().describe('Limit revocations of activated licences.'),
  revokeMaxPercentage: z.int().min(0).max(100).describe('The limit, in percent of the licences.'),
  shouldAutoApplyLicenses: z.boolean().nullable().describe('Learners get licences without an administrator.'),
  canFreezeUnusedLicenses: z.boolean().describe('Whether unused licences can be deleted.'),
  forInternalUseOnly: z.boolean().describe('A plan for tests.'),
  desiredNumLicenses: z
    .int()
    .min(0)
    .max(INT32)
    .describe('Licences that the plan shall have; 0 leaves it as it is. Licences are never taken away.'),
};

const lineItem = () =>
  z
    .string()
    .trim()
    .min(1)
    .max(LONGEST.salesforceId)
    .nullable()
    .describe('Line item of the sale in Salesforce, 00k…; required for products whose plan type says so.');
const product = () => z.int().max(INT32).nullable().describe('Product that was sold.');
const changeReason = () => z.enum(changeReasons).describe('Why; the audit trail keeps it.');

/** A plan as provisioning sees it. */
export const provisionedPlan = planSummary
  .extend({
    canFreezeUnusedLicenses: z.boolean().describe('Whether unused licences can be deleted.'),
    customerAgreement: z.string().describe('Agreement of the plan.'),
    desiredNumLicenses: z.int().nullable().describe('Licences that the plan shall have.'),
    expirationProcessed: z.boolean().describe('Whether the expiration of the plan was worked off.'),
    forInternalUseOnly: z.boolean().describe('A plan for tests.'),
    lastFreezeTimestamp: z.date().nullable().describe('When unused licences were deleted; then none are added.'),
    numRevocationsApplied: z.int().describe('Revocations of activated licences so far.'),
    revokeMaxPercentage: z.int().describe('Limit of revocations, in percent of the licences.'),
    changeReason: z.string().describe('Why the plan was changed.'),
    provisioningJob: z
      .string()
      .nullable()
      .describe('Job that adds many licences; null when all are there already. Follow it with `jobs.get`.'),
  })
  .meta({ title: 'ProvisionedPlan' });
export type ProvisionedPlan = z.infer<typeof provisionedPlan>;

export const create = defineContract({
  summary: 'Create a subscription plan with its licences; very many are added by a job.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: PROVISIONING_BASE, status: 201 },
  input: z.object({
    ...fields,
    customerAgreement: uuid().describe('Agreement of the plan.'),
    enterpriseCatalogUuid: uuid().nullable().optional().describe('Catalog; null takes that of the agreement.'),
    product: product().optional(),
    salesforceOpportunityLineItem: lineItem(),
    changeReason: changeReason(),
    isActive: fields.isActive.default(false),
    isRevocationCapEnabled: fields.isRevocationCapEnabled.default(false),
    revokeMaxPercentage: fields.revokeMaxPercentage.default(5),
    shouldAutoApplyLicenses: fields.shouldAutoApplyLicenses.default(null),
    canFreezeUnusedLicenses: fields.canFreezeUnusedLicenses.default(false),
    forInternalUseOnly: fields.forInternalUseOnly.default(false),
    expirationProcessed: z.boolean().default(false).describe('The expiration was worked off elsewhere.'),
    lastFreezeTimestamp: instant().nullable().default(null).describe('A frozen plan gets no licences.'),
    numRevocationsApplied: z.int().min(0).max(INT32).default(0).describe('Revocations elsewhere.'),
  }),
  output: provisionedPlan,
  errors: [planRefused],
});

const includeInactive = () => z.boolean().default(false).describe('Include plans that are not active.');

export const listForProvisioning = defineContract({
  summary: 'Subscription plans for provisioning, the newest start first; active ones unless others are wanted too.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: PROVISIONING_BASE },
  input: z.object({
    enterpriseCustomerUuid: uuid().optional().describe('Only plans of this customer.'),
    includeInactive: includeInactive(),
    ...pageInput({ defaultSize: 100, maximumSize: 100 }),
  }),
  output: pageOutput(plan),
  errors: [],
});

export const getForProvisioning = defineContract({
  summary: 'One subscription plan for provisioning, active or not.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: `${PROVISIONING_BASE}{uuid}/` },
  input: z.object({ uuid: planUuid() }),
  output: plan,
  errors: [],
});

export const update = defineContract({
  summary: 'Update fields of a plan, and add licences up to the desired number; omitted fields are not changed.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'PATCH', path: `${PROVISIONING_BASE}{uuid}/` },
  input: z.object({
    uuid: planUuid(),
    includeInactive: includeInactive(),
    enterpriseCustomerUuid: uuid().optional().describe('Only if the plan belongs to this customer.'),
    ...z.object(fields).partial().shape,
    enterpriseCatalogUuid: uuid().optional().describe('Catalog whose courses the licences open.'),
    product: product().optional(),
    salesforceOpportunityLineItem: lineItem().optional(),
    changeReason: changeReason().optional(),
  }),
  output: provisionedPlan.omit({ isCurrent: true, created: true, planType: true }),
  errors: [planRefused],
});

const operation = (what: string) => `${PROVISIONING_BASE}{uuid}/${what}/`;
const reason = () => z.string().trim().max(100).optional().describe('Why; the audit trail keeps it.');

export const provision = defineContract({
  summary: 'Add licences up to the desired number of a plan, for example after an outage.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: operation('provision') },
  input: z.object({ uuid: planUuid(), reason: reason() }),
  output: z.object({
    added: z.int().min(0).describe('Licences that were added at once.'),
    job: z.string().nullable().describe('Job that adds very many licences; null if there is none.'),
  }),
  errors: [],
});

export const freeze = defineContract({
  summary: 'Delete the unused licences of a plan for good; it gets no new ones. Cannot be undone.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: operation('freeze') },
  input: z.object({ uuid: planUuid(), reason: reason() }),
  output: z.object({
    lastFreezeTimestamp: z.date().describe('When the plan was frozen.'),
    job: z.string().describe('Job that deletes the licences.'),
  }),
  errors: [cannotFreeze],
});

export const deleteRevoked = defineContract({
  summary: 'Delete all revoked licences of a plan, as a job.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: operation('delete-revoked-licenses'), status: 202 },
  input: z.object({ uuid: planUuid(), reason: reason() }),
  output: z.object({ job: z.string().describe('Job that deletes them.') }),
  errors: [],
});

export const cannotRevert = defineError({
  code: 'cannot_revert',
  status: 422,
  message: 'The licenses cannot be reverted; nothing was changed.',
  details: z.object({
    license: z
      .string()
      .nullable()
      .describe('The first licence that cannot be reverted; null if it is not known which.'),
    reason: openEnum(['unknown', 'not_there_yet', 'forgotten', 'moved', 'held_twice']).describe(
      'No licence of the plan, created later, holder or key removed since, in another plan then, or holder of another licence now.',
    ),
  }),
});

export const revertLicenses = defineContract({
  summary: 'Give licences of a plan the state that they had at a time, from the audit trail: all of them or none.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: operation('revert-licenses') },
  input: z.object({
    uuid: planUuid(),
    licenses: z.array(uuid()).min(1).max(500).describe('Licences of the plan.'),
    at: instant().describe('The time whose state they get.'),
    reason: reason(),
  }),
  output: z.object({ reverted: z.int().min(0).describe('Number of licences.') }),
  errors: [cannotRevert],
});
