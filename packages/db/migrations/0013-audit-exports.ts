import { createTable } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Parts of the audit trail as files, for some days. */
export const auditExports: Migration = {
  name: '0013-audit-exports',
  up: (schema) => [
    createTable(schema, 'audit_exports', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').nullable();
      column.code('format').notNullable();
      column.boolean('is_internal');
      column.json('filter').nullable();
      column.instant('created').notNullable();
      column.instant('finished').nullable();
      table.index(['created'], 'audit_exports_created');
    }),
    createTable(schema, 'audit_export_parts', (table, column) => {
      column.uuid('export_uuid').notNullable();
      table.integer('position').notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      // Whole parts, far longer than a text column of MariaDB.
      table.text('content', 'longtext').notNullable();
      table.integer('line_count').notNullable();
      column.uuid('last_entry_uuid').notNullable();
      table.integer('last_change').notNullable();
      column.instant('created').notNullable();
      table.primary(['export_uuid', 'position']);
      table.index(['created'], 'audit_export_parts_created');
    }),
    // An administrator asks for one user among the records of one customer.
    schema.db.schema.alterTable('audit_entries', (table) => {
      table.index(['enterprise_customer_uuid', 'actor_user_id', 'uuid'], 'audit_entries_customer_actor');
    }),
  ],
};
