export type { ConfigurationRow } from './assignment-configurations.ts';
export * as assignmentConfigurations from './assignment-configurations.ts';
export {
  adjustBudget,
  adjustShare,
  allocateBudget,
  type BudgetRefusal,
  deallocateBudget,
  type LearnerLimits,
  type LearnerShare,
  type LimitsChanged,
  releaseBudget,
  releaseShare,
  reserveBudget,
  reserveShare,
  sharesOf,
} from './budget.ts';
export { contactsOf, refusalReason } from './contacts.ts';
export * as contract from './contract.ts';
export { countPendingDeposits, resumeDeposits } from './deposits.ts';
export * as policyGroups from './groups.ts';
export { refusalBody, refusalOf } from './refusal-body.ts';
export { isLateRedemptionAllowed, priorityOf } from './rules.ts';
export { policyNotFound } from './service.ts';
export { find, groupsOf, holdRequestable, ownerOf, redeemable, spentCents, totalsByPolicy } from './store.ts';
export type { PolicyRow } from './tables.ts';
