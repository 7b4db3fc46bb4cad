export * as contract from './contract.ts';
export { endedAttempts, redemptionKey } from './idempotency.ts';
export { markReversed } from './reversal.ts';
export { ABANDONED_MS, awaitEnd, finish, type Reservation, reconcile, reserve } from './spend.ts';
export { countPendingBefore, find, hasPending, madeFor } from './store.ts';
