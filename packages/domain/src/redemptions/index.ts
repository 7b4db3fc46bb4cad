export { auditBooks, type Discrepancy } from './audit.ts';
export * as contract from './contract.ts';
export { legacy } from './legacy.ts';
export { redemptions } from './router.ts';
export { reconcile } from './spend.ts';
