export { addDeposit, depositEntry, findDeposit, isProvider } from './deposits.ts';
export { embeddedLedger } from './embedded.ts';
export { insertDeposit, insertReversal, insertTransaction } from './entries.ts';
export { storedReservations } from './reservations.ts';
export {
  countUnfinished,
  enrollmentCounts,
  findByCallerKey,
  findSubsidies,
  findTransaction,
  ledgerOfTransaction,
  ownerOf,
  ownerOfTransaction,
  pageOfTransactions,
  readTransactions,
  selectTransactions,
  unfinishedBefore,
} from './store.ts';
export {
  changeSubsidy,
  findByReference,
  findSubsidy,
  findSubsidyForUpdate,
  insertSubsidy,
  pageOfSubsidies,
  type SubsidyWithTotals,
} from './subsidies.ts';
export type { SubsidyRecord } from './tables.ts';
export * as unenrolments from './unenrolments.ts';
export { lmsCourseware, viewOfTransaction } from './view.ts';
