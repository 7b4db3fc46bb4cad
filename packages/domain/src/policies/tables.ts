import { defineModel, is, type Row } from '@enterprise-access/db';
import type { accessMethods, policyTypes } from './contract.ts';

/**
 * A stored policy. `spentCents` and `allocatedCents` are counters of its budget; they change only through
 * `budget.ts`.
 */
export const policies = defineModel('policies', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'policy', ignored: ['spentCents', 'allocatedCents'] },
  columns: {
    uuid: is.uuid(),
    policyType: is.code<(typeof policyTypes)[number]>(),
    enterpriseCustomerUuid: is.uuid(),
    displayName: is.text().nullable(),
    description: is.text(),
    active: is.flag(),
    retired: is.flag(),
    retiredAt: is.instant().nullable(),
    catalogUuid: is.uuid(),
    subsidyUuid: is.uuid(),
    accessMethod: is.code<(typeof accessMethods)[number]>(),
    spendLimitCents: is.cents().nullable(),
    perLearnerEnrollmentLimit: is.integer().nullable(),
    perLearnerSpendLimitCents: is.cents().nullable(),
    lateRedemptionAllowedUntil: is.instant().nullable(),
    assignmentConfigurationUuid: is.uuid().nullable(),
    learnerCreditRequestConfigUuid: is.uuid().nullable(),
    spentCents: is.cents(),
    /** Cents reserved by allocated assignments. */
    allocatedCents: is.cents(),
    created: is.instant(),
    modified: is.instant(),
  },
});
export type PolicyRow = Row<typeof policies>;

/** A learner's usage of a policy. */
export const learnerBudgets = defineModel('policy_learner_budgets', {
  tenant: 'enterpriseCustomerUuid',
  key: ['policyUuid', 'lmsUserId'],
  columns: {
    policyUuid: is.uuid(),
    lmsUserId: is.integer(),
    enterpriseCustomerUuid: is.uuid(),
    spentCents: is.cents(),
    redemptionCount: is.integer(),
  },
});

/** Updated to serialize changes of the spend limits on a subsidy. */
export const policyCeilings = defineModel('policy_ceilings', {
  tenant: 'enterpriseCustomerUuid',
  key: ['subsidyUuid'],
  columns: { subsidyUuid: is.uuid(), enterpriseCustomerUuid: is.uuid(), holds: is.integer() },
});

/** Groups whose members can redeem through a policy. */
export const policyGroups = defineModel('policy_groups', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'policy_group' },
  columns: {
    uuid: is.uuid(),
    policyUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    enterpriseGroupUuid: is.uuid().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

/** Intents to add value. */
export const policyDeposits = defineModel('policy_deposits', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'policy_deposit', ignored: ['idempotencyKey', 'actorUserId'] },
  columns: {
    uuid: is.uuid(),
    policyUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    idempotencyKey: is.text(),
    quantityCents: is.cents(),
    salesContractReferenceId: is.text(),
    state: is.code<'pending' | 'done' | 'refused'>(),
    actorUserId: is.integer().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

/** Groups the assignments of one policy. */
export const configurations = defineModel('assignment_configurations', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'assignment_configuration' },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    active: is.flag(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: { holds: is.integer() },
});

export const tables = [configurations, learnerBudgets, policies, policyCeilings, policyDeposits, policyGroups] as const;
