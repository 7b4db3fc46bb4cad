export * as contract from './contract.ts';
export { endedAttempts, redemptionKey } from './idempotency.ts';
export { intentOf } from './intent.ts';
export { markReversed } from './reversal.ts';
export { ABANDONED_MS, awaitEnd, type Reservation, reconcile, record, reserve, reserving, settle } from './spend.ts';
export { countPendingBefore, find, hasPending, madeFor } from './store.ts';
