export { appendHistories, appendHistory, type Change } from './history.ts';
export { claimMessage, consumedBetween } from './inbox.ts';
export {
  type Connection,
  connect,
  type Database,
  dialectOf,
  type Transaction,
} from './knex.ts';
export { type MigrateOptions, migrate } from './migrate.ts';
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
export { DatabaseUrlError, type Dialect, databaseUrlProblem, parseDatabaseUrl, postgresConnection } from './url.ts';
export { waitForDatabase } from './wait.ts';
