import { createTable } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Why a redemption, an allocation or a question about them was allowed or refused. */
export const decisions: Migration = {
  name: '0012-decisions',
  up: (schema) => [
    createTable(schema, 'redemption_decisions', (table, column) => {
      // Version 7 of the time in `created`, so that the order of keys is the order of time.
      column.uuid('uuid').primary();
      column.instant('created').notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.uuid('policy_uuid').nullable();
      table.integer('lms_user_id').nullable();
      // Null for a text that is not the key of a course or run.
      column.text('content_key', 255).nullable();
      column.code('kind').notNullable();
      column.code('verdict').notNullable();
      column.code('reason', 64).nullable();
      table.integer('learner_count').notNullable();
      // The checks that did not pass, and what was judged.
      column.json('checks').notNullable();
      column.json('facts').notNullable();
      column.code('request_id', 128).nullable();
      column.uuid('redemption_uuid').nullable();
      table.index(['enterprise_customer_uuid', 'kind', 'verdict', 'uuid'], 'redemption_decisions_verdict');
      table.index(['enterprise_customer_uuid', 'reason', 'uuid'], 'redemption_decisions_reason');
      table.index(['enterprise_customer_uuid', 'lms_user_id', 'uuid'], 'redemption_decisions_learner');
      table.index(['enterprise_customer_uuid', 'content_key', 'uuid'], 'redemption_decisions_content');
      table.index(['policy_uuid', 'uuid'], 'redemption_decisions_policy');
      table.index(['request_id', 'uuid'], 'redemption_decisions_request');
    }),
  ],
};
