export { enrollmentRevoked } from './consumers.ts';
export * as contract from './contract.ts';
export { ledger } from './router.ts';
export { createSubsidy } from './service.ts';
export { countUnfinished, reconcileTransactions } from './spend.ts';
export { countUnenrolments, reconcileUnenrolments } from './unenrol.ts';
