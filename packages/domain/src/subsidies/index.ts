export * as contract from './contract.ts';
export { countUnfinished, reconcileTransactions } from './spend.ts';
export { countUnenrolments, reconcileUnenrolments } from './unenrol.ts';
