import type { AuditSource } from './audit.ts';
import { defineModel, is } from './model.ts';

// Tables of the platform itself: the message transport, its bus for installations without Kafka, and migrations.

const EXPIRES = { job: 'housekeeping.expire' } as const;
const TRANSPORT = { platform: 'State of the message transport.' } as const;
const MIGRATIONS = { platform: 'Which migrations are done.' } as const;
const lease = { leaseOwner: is.text().nullable(), leaseEnds: is.instant().nullable() };

export const outbox = defineModel('outbox', {
  tenant: 'enterpriseCustomerUuid',
  key: ['position'],
  columns: {
    uuid: is.uuid(),
    /** Null for messages without a customer, such as those of schedules. */
    enterpriseCustomerUuid: is.uuid().nullable(),
    kind: is.code<'event' | 'job'>(),
    name: is.text(),
    messageKey: is.text(),
    payload: is
      .json<Readonly<Record<string, unknown>>>()
      .personalData({ holds: 'Events, some with the address of a learner.', ends: EXPIRES }),
    /** W3C trace context of the change. */
    trace: is.text().nullable(),
    /** Shared by everything that follows from one call. */
    correlationId: is.text().nullable(),
    created: is.instant(),
    shard: is.integer(),
  },
  internal: { position: is.integer(), sent: is.instant().nullable() },
});

export const outboxLanes = defineModel('outbox_lanes', {
  tenant: TRANSPORT,
  key: ['kind', 'shard'],
  columns: { kind: is.code<'event' | 'job'>(), shard: is.integer() },
  internal: lease,
});

/** Who changed what, from where and why: one row per call, job or event, and customer. */
export const auditEntries = defineModel('audit_entries', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    created: is.instant(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    operation: is.code(),
    source: is.code<AuditSource>(),
    actorUserId: is.integer().nullable(),
    actorRole: is.code().nullable(),
    requestId: is.text().nullable(),
    correlationId: is.text(),
    reason: is.text().nullable(),
  },
});

/** What an entry of the trail changed. */
export const auditChanges = defineModel('audit_changes', {
  tenant: 'enterpriseCustomerUuid',
  key: ['entryUuid', 'position'],
  columns: {
    entryUuid: is.uuid(),
    position: is.integer(),
    subjectKind: is.code(),
    subjectUuid: is.uuid(),
    action: is.code<'created' | 'updated' | 'deleted'>(),
    note: is.code().nullable(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    lmsUserId: is.integer().nullable(),
    learnerEmail: is
      .text()
      .nullable()
      .personalData({
        holds: 'Address of the learner whom the change is about.',
        ends: { job: 'assignments.retireAddresses' },
      }),
    /** Of an earlier call that this change follows. */
    correlationId: is.text().nullable(),
    beforeValues: is.json<Readonly<Record<string, unknown>>>().nullable(),
    afterValues: is.json<Readonly<Record<string, unknown>>>().nullable(),
  },
});

export const inbox = defineModel('inbox', {
  tenant: TRANSPORT,
  key: ['consumer', 'messageId'],
  columns: { consumer: is.text(), messageId: is.text(), received: is.instant() },
});

export const busTopics = defineModel('bus_topics', {
  tenant: TRANSPORT,
  key: ['topic'],
  columns: { topic: is.text(), lastPosition: is.integer() },
});

export const busMessages = defineModel('bus_messages', {
  tenant: { platform: 'Messages of all services on one bus; those of others name no customer.' },
  key: ['topic', 'position'],
  columns: {
    topic: is.text(),
    position: is.integer(),
    messageId: is.text(),
    messageKey: is.text(),
    headers: is.json<Readonly<Record<string, readonly string[]>>>(),
    payload: is
      .json<Readonly<Record<string, unknown>>>()
      .personalData({ holds: 'Events, some with the address of a learner.', ends: EXPIRES }),
    published: is.instant(),
  },
});

export const busPositions = defineModel('bus_positions', {
  tenant: TRANSPORT,
  key: ['consumerGroup', 'topic'],
  columns: { consumerGroup: is.text(), topic: is.text(), position: is.integer() },
  internal: lease,
});

export const deadLetters = defineModel('dead_letters', {
  tenant: { platform: 'Messages as they came: the customer is not known where one cannot be read.' },
  columns: {
    uuid: is.uuid(),
    direction: is.code<'in' | 'out'>(),
    /** Consumer group of a received message; null for a message that could not be published. */
    consumerGroup: is.text().nullable(),
    topic: is.text(),
    partitionNumber: is.integer().nullable(),
    position: is.text().nullable(),
    message: is.json<unknown>().personalData({
      holds: 'Messages that could not be used, until some time after they were dealt with.',
      ends: EXPIRES,
    }),
    reason: is.text(),
    detail: is.text(),
    created: is.instant(),
    settled: is.instant().nullable(),
  },
});

const writeProbes = defineModel('write_probes', {
  tenant: { platform: 'Written to learn whether the database takes writes.' },
  key: ['slot'],
  columns: { slot: is.integer(), written: is.instant() },
});

const migrationsDone = defineModel('schema_migrations', {
  tenant: MIGRATIONS,
  key: ['id'],
  columns: {
    id: is.integer(),
    name: is.text().nullable(),
    batch: is.integer().nullable(),
    migrationTime: is.instant().nullable(),
  },
});

/** MySQL and MariaDB only. */
const migrationsBegun = defineModel('schema_migrations_begun', {
  tenant: MIGRATIONS,
  key: ['name'],
  columns: { name: is.text() },
});

export const platformTables = [
  auditChanges,
  auditEntries,
  busMessages,
  busPositions,
  busTopics,
  deadLetters,
  inbox,
  migrationsBegun,
  migrationsDone,
  outbox,
  outboxLanes,
  writeProbes,
] as const;
