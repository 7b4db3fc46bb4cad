export {
  type AuditSource,
  currentOrigin,
  forgetAddresses,
  forgetLearner,
  forgetLearners,
  insertWithRecords,
  type Origin,
  recordChanges,
  storeRecorded,
  systemOrigin,
  touch,
  withOrigin,
} from './audit.ts';
export { changeOne, RowNotChanged } from './change-one.ts';
export { isConnectionLost, isDatabaseUnavailable, isRetryable, isUniqueViolation } from './failures.ts';
export { claimMessage, consumedBetween } from './inbox.ts';
export { Instant, timeText, withMicroseconds } from './instant.ts';
export {
  type Connection,
  type ConnectOptions,
  connect,
  type Database,
  dialectOf,
  lastConnectionLostAt,
  type Transaction,
} from './knex.ts';
export { type Lease, LeaseLost, underLease } from './lease.ts';
export { type MigrateOptions, migrate } from './migrate.ts';
export {
  type Column,
  defineModel,
  is,
  type PersonalData,
  type PersonalDataEnd,
  type Row,
  type TableModel,
} from './model.ts';
export { type OutageLog, outageLog } from './outage.ts';
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
export {
  auditChanges,
  auditEntries,
  busMessages,
  busPositions,
  busTopics,
  deadLetters,
  inbox,
  outbox,
  platformTables,
} from './platform-tables.ts';
export { type DatabaseProbe, databaseProbe } from './probe.ts';
export { transaction } from './transaction.ts';
export { addToCounters, insertAbsent, insertIfAbsent } from './upsert.ts';
export { DatabaseUrlError, type Dialect, databaseUrlProblem, parseDatabaseUrl, postgresConnection } from './url.ts';
export { waitForDatabase } from './wait.ts';
