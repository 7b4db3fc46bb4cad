export {
  adjust,
  type BudgetRefusal,
  giveBackBudget,
  giveBackShare,
  type LearnerShare,
  sharesOf,
  takeBudget,
  takeShare,
} from './budget.ts';
export * as contract from './contract.ts';
export { countPendingDeposits, resumeDeposits } from './deposits.ts';
export { policies } from './router.ts';
export { isLateRedemptionAllowed, priorityOf } from './rules.ts';
export { policyNotFound } from './service.ts';
export { find, groupsOf, ownerOf, PolicyRow, redeemable } from './store.ts';
