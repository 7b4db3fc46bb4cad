import { createTable } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Workflows that survive crashes, their steps, and the signals that they wait for. */
export const workflows: Migration = {
  name: '0017-workflows',
  up: (schema) => [
    createTable(schema, 'workflows', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').nullable();
      column.code('kind', 64).notNullable();
      table.integer('version').notNullable();
      // Names the occasion: a second start with the same key finds the first.
      column.text('idempotency_key', 255).notNullable();
      column.code('status').notNullable();
      // Personal data, until the workflow is forgotten.
      column.json('input').notNullable();
      column.json('output').nullable();
      // Number of steps that are done.
      table.integer('position').notNullable();
      // When it goes on by itself.
      column.instant('wake_at').nullable();
      column.text('error', 500).nullable();
      column.code('correlation_id', 255).notNullable();
      column.uuid('lease_owner').nullable();
      column.instant('lease_ends').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      column.instant('finished').nullable();
      table.unique(['kind', 'idempotency_key'], { indexName: 'workflows_key' });
      table.index(['status', 'wake_at'], 'workflows_due');
      table.index(['enterprise_customer_uuid', 'uuid'], 'workflows_customer');
      table.index(['kind', 'status', 'uuid'], 'workflows_kind');
      table.index(['finished'], 'workflows_finished');
    }),
    createTable(schema, 'workflow_steps', (table, column) => {
      column.uuid('workflow_uuid').notNullable();
      table.integer('position').notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.code('name', 64).notNullable();
      column.code('status').notNullable();
      column.json('output').nullable();
      // Attempts since the last time that somebody let it go on.
      table.integer('attempt_count').notNullable();
      // The last attempts with their times and errors.
      column.json('attempts').notNullable();
      column.text('reason', 255).nullable();
      column.instant('started').notNullable();
      column.instant('ended').nullable();
      table.primary(['workflow_uuid', 'position']);
    }),
    createTable(schema, 'workflow_signals', (table, column) => {
      column.uuid('workflow_uuid').notNullable();
      column.code('name', 64).notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.json('payload').nullable();
      column.instant('created').notNullable();
      table.primary(['workflow_uuid', 'name']);
    }),
  ],
};
