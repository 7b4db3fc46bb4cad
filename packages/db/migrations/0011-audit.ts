import { columns, createTable, type Schema } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** What the old histories say, by their entity: kind in the trail, and how its customer is found. */
const histories: Readonly<Record<string, { readonly kind: string; readonly customer: string }>> = {
  policies: {
    kind: 'policy',
    customer: 'select p.enterprise_customer_uuid from policies p where p.uuid = h.entity_uuid',
  },
  subsidies: {
    kind: 'subsidy',
    customer: 'select s.enterprise_customer_uuid from subsidies s where s.uuid = h.entity_uuid',
  },
  assignment_configurations: {
    kind: 'assignment_configuration',
    customer: 'select c.enterprise_customer_uuid from assignment_configurations c where c.uuid = h.entity_uuid',
  },
  assignments: {
    kind: 'assignment',
    customer: `select c.enterprise_customer_uuid from assignments a
      join assignment_configurations c on c.uuid = a.assignment_configuration_uuid where a.uuid = h.entity_uuid`,
  },
  ledger_transactions: {
    kind: 'ledger_transaction',
    customer: `select s.enterprise_customer_uuid from ledger_transactions t
      join subsidies s on s.ledger_uuid = t.ledger_uuid where t.uuid = h.entity_uuid`,
  },
  forced_redemptions: {
    kind: 'forced_redemption',
    customer: `select p.enterprise_customer_uuid from forced_redemptions f
      join policies p on p.uuid = f.policy_uuid where f.uuid = h.entity_uuid`,
  },
};

/** The rows of a history become entries of the trail: what they tell is who, when, why, and what the row was then. */
const taken = (schema: Schema, entity: string) => {
  const { kind, customer } = histories[entity] ?? { kind: entity, customer: 'null' };
  return [
    schema.db.raw(
      `insert into audit_entries (uuid, created, enterprise_customer_uuid, operation, source, actor_user_id, correlation_id, reason)
      select h.history_uuid, h.history_date, (${customer}), 'history', 'import', h.actor_user_id, concat(h.history_uuid, ''), h.reason
      from ?? h`,
      [`${entity}_history`],
    ),
    schema.db.raw(
      `insert into audit_changes (entry_uuid, position, subject_kind, subject_uuid, action, enterprise_customer_uuid, after_values)
      select h.history_uuid, 1, '${kind}', h.entity_uuid,
        case h.history_type when '+' then 'created' when '-' then 'deleted' else 'updated' end, (${customer}), h.snapshot
      from ?? h`,
      [`${entity}_history`],
    ),
  ];
};

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
    ...Object.keys(histories).flatMap((entity) => taken(schema, entity)),
  ],
};

/** The histories are part of the trail now. A migration of its own: the one before may be repeated from its beginning. */
export const auditReplacesHistories: Migration = {
  name: '0011-histories',
  up: (schema) => Object.keys(histories).map((entity) => schema.db.schema.dropTable(`${entity}_history`)),
};
