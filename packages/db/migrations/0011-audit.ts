import { columns, createTable, type Schema } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Histories of earlier releases, and the name of their subject in the trail. */
const histories: Readonly<Record<string, string>> = {
  policies: 'policy',
  subsidies: 'subsidy',
  assignment_configurations: 'assignment_configuration',
  assignments: 'assignment',
  ledger_transactions: 'ledger_transaction',
  forced_redemptions: 'forced_redemption',
};

/** The rows of a history become entries of the trail: what they tell is who, when, why, and what the row was then. */
const taken = (schema: Schema, entity: string, kind: string) => [
  schema.db.raw(
    `insert into audit_entries
      (uuid, created, enterprise_customer_uuid, operation, source, actor_user_id, correlation_id, reason)
    select history_uuid, history_date, enterprise_customer_uuid, 'history', 'import', actor_user_id,
      concat(history_uuid, ''), reason
    from ??`,
    [`${entity}_history`],
  ),
  schema.db.raw(
    `insert into audit_changes
      (entry_uuid, position, subject_kind, subject_uuid, action, enterprise_customer_uuid, after_values)
    select history_uuid, 1, '${kind}', entity_uuid,
      case history_type when '+' then 'created' when '-' then 'deleted' else 'updated' end,
      enterprise_customer_uuid, snapshot
    from ??`,
    [`${entity}_history`],
  ),
];

/** Who changed what, from where and why; and the id that ties together what followed from one call. */
export const audit: Migration = {
  name: '0011-audit',
  up: (schema) => [
    createTable(schema, 'audit_entries', (table, column) => {
      // Version 7: in the order of time, which is the order of every list.
      column.uuid('uuid').primary();
      column.instant('created').notNullable();
      // Null for what belongs to no customer.
      column.uuid('enterprise_customer_uuid').nullable();
      column.code('operation', 100).notNullable();
      column.code('source', 16).notNullable();
      table.bigInteger('actor_user_id').nullable();
      column.code('actor_role', 64).nullable();
      column.text('request_id', 255).nullable();
      column.text('correlation_id', 255).notNullable();
      column.text('reason', 255).nullable();
      table.index(['enterprise_customer_uuid', 'uuid'], 'audit_entries_customer');
      table.index(['enterprise_customer_uuid', 'operation', 'uuid'], 'audit_entries_customer_operation');
      table.index(['operation', 'uuid'], 'audit_entries_operation');
      table.index(['actor_user_id', 'uuid'], 'audit_entries_actor');
      table.index(['correlation_id', 'uuid'], 'audit_entries_correlation');
    }),
    createTable(schema, 'audit_changes', (table, column) => {
      column.uuid('entry_uuid').notNullable();
      table.integer('position').notNullable();
      column.code('subject_kind').notNullable();
      column.uuid('subject_uuid').notNullable();
      column.code('action', 16).notNullable();
      column.code('note', 64).nullable();
      column.uuid('enterprise_customer_uuid').nullable();
      table.integer('lms_user_id').nullable();
      // Personal data, until the address of the subject is forgotten.
      column.text('learner_email', 254).nullable();
      // Of the call that this one follows, where the subject remembers it.
      column.text('correlation_id', 255).nullable();
      column.json('before_values').nullable();
      column.json('after_values').nullable();
      table.primary(['entry_uuid', 'position']);
      table.index(['subject_uuid', 'entry_uuid'], 'audit_changes_subject');
      table.index(['lms_user_id', 'entry_uuid'], 'audit_changes_learner');
      table.index(['learner_email', 'entry_uuid'], 'audit_changes_address');
      table.index(['correlation_id', 'entry_uuid'], 'audit_changes_correlation');
    }),
    ...['outbox', 'assignments'].map((name) =>
      schema.db.schema.alterTable(name, (table) => {
        columns(schema, table).text('correlation_id', 255).nullable();
      }),
    ),
    schema.db.schema.alterTable('outbox', (table) => {
      table.index(['correlation_id', 'position'], 'outbox_correlation');
    }),
    ...Object.entries(histories).flatMap(([entity, kind]) => taken(schema, entity, kind)),
  ],
};

/** The histories are part of the trail now. A migration of its own: the one before may be repeated from its beginning. */
export const auditReplacesHistories: Migration = {
  name: '0011-histories',
  up: (schema) => Object.keys(histories).map((entity) => schema.db.schema.dropTable(`${entity}_history`)),
};
