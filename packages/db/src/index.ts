export { changeOne, RowNotChanged } from './change-one.ts';
export { appendHistories, appendHistory, type Change } from './history.ts';
export { claimMessage, consumedBetween } from './inbox.ts';
export {
  type Connection,
  connect,
  type Database,
  type Dialect,
  dialectOf,
  dialectOfUrl,
  type Transaction,
} from './knex.ts';
export { migrate } from './migrate.ts';
export {
  appendOnceToOutbox,
  appendToOutbox,
  type Lane,
  lanesWithMessages,
  OUTBOX_SHARDS,
  type OutboxMessage,
  outboxBacklog,
  relayLane,
  type StoredMessage,
} from './outbox.ts';
export { isConnectionLost, isRetryable, isUniqueViolation, transaction } from './transaction.ts';
export { addToCounters, insertIfAbsent } from './upsert.ts';
