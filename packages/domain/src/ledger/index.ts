export { enrollmentRevoked } from './consumers.ts';
export * as contract from './contract.ts';
export { ledger } from './router.ts';
export { reconcileTransactions } from './spend.ts';
export { countUnfinished } from './store.ts';
export { countUnenrolments, reconcileUnenrolments } from './unenrol.ts';
