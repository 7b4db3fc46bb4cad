export { auditBooks, type Discrepancy } from './audit.ts';
export * as contract from './contract.ts';
export { auditDrift } from './drift.ts';
export { redemptions } from './router.ts';
export { reconcile } from './spend.ts';
export { countPendingBefore } from './store.ts';
