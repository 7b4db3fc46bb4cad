import { createTable, uniqueAmong } from '../src/columns.ts';
import { createHistoryTable } from './history-table.ts';
import type { Migration } from './migration.ts';

/** Subsidies and the ledger that backs them. */
export const ledger: Migration = {
  name: '0002-ledger',
  up: (schema) => [
    createTable(schema, 'ledgers', (_table, column) => {
      column.uuid('uuid').primary();
      column.text('idempotency_key', 255).notNullable().unique();
      column.code('unit').notNullable();
      // Running totals, changed in the transaction of each entry; never read as a sum over entries.
      column.cents('balance_cents').notNullable().defaultTo(0);
      column.cents('deposits_cents').notNullable().defaultTo(0);
      column.json('metadata').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
    }),
    createTable(schema, 'subsidies', (table, column) => {
      column.uuid('uuid').primary();
      column.text('title', 255).nullable();
      column.cents('starting_balance_cents').notNullable();
      column.uuid('ledger_uuid').notNullable().unique().references('uuid').inTable('ledgers');
      column.code('unit').notNullable();
      column.text('reference_id', 255).nullable();
      column.code('reference_type', 255).notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.boolean('internal_only');
      column.code('revenue_category', 255).notNullable();
      column.instant('active_datetime').nullable();
      column.instant('expiration_datetime').nullable();
      column.boolean('is_soft_deleted');
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['enterprise_customer_uuid', 'created']);
    }),
    ...uniqueAmong(schema, 'subsidies', {
      name: 'public_reference',
      among: 'not internal_only and not is_soft_deleted and reference_id is not null',
      key: ['reference_type', 'reference_id'],
    }),
    createHistoryTable(schema, 'subsidies'),
    createTable(schema, 'ledger_transactions', (table, column) => {
      column.uuid('uuid').primary();
      // No foreign key: an insert would hold the ledger's row shared, and two spends that then change it would deadlock.
      column.uuid('ledger_uuid').notNullable();
      column.text('idempotency_key', 255).notNullable();
      column.cents('quantity_cents').notNullable();
      column.code('state').notNullable();
      column.boolean('is_reversed');
      column.json('metadata').nullable();
      table.integer('lms_user_id').nullable();
      column.text('lms_user_email', 255).nullable();
      column.text('content_key', 255).nullable();
      column.text('parent_content_key', 255).nullable();
      column.text('content_title', 255).nullable();
      column.instant('course_run_start_date').nullable();
      column.text('fulfillment_identifier', 255).nullable();
      column.uuid('subsidy_access_policy_uuid').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.unique(['ledger_uuid', 'idempotency_key'], { indexName: 'ledger_transactions_key' });
      table.index(['ledger_uuid', 'lms_user_id', 'content_key'], 'ledger_transactions_learner');
      table.index(['ledger_uuid', 'created'], 'ledger_transactions_newest');
      table.index(['ledger_uuid', 'subsidy_access_policy_uuid', 'created'], 'ledger_transactions_policy');
      table.index(['fulfillment_identifier'], 'ledger_transactions_fulfillment');
      // The reconcile job looks for what a crash left in between.
      table.index(['state', 'modified'], 'ledger_transactions_state');
    }),
    // Nobody is charged twice for one content key while the first charge stands, whatever the policy (R-LED-14).
    ...uniqueAmong(schema, 'ledger_transactions', {
      name: 'standing_redemption',
      among: "content_key is not null and not is_reversed and state in ('created', 'pending', 'committed')",
      key: ['ledger_uuid', 'lms_user_id', 'content_key'],
    }),
    createHistoryTable(schema, 'ledger_transactions'),
    createTable(schema, 'ledger_reversals', (_table, column) => {
      column.uuid('uuid').primary();
      column.uuid('transaction_uuid').notNullable().unique().references('uuid').inTable('ledger_transactions');
      column.text('idempotency_key', 255).notNullable();
      column.cents('quantity_cents').notNullable();
      column.code('state').notNullable();
      column.json('metadata').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
    }),
    createTable(schema, 'sales_contract_reference_providers', (_table, column) => {
      column.code('slug').primary();
      column.text('name', 255).notNullable();
    }),
    schema.db('sales_contract_reference_providers').insert({
      slug: 'salesforce_opportunity_line_item',
      name: 'Salesforce OpportunityLineItem',
    }),
    createTable(schema, 'ledger_deposits', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('ledger_uuid').notNullable().references('uuid').inTable('ledgers');
      column.uuid('transaction_uuid').notNullable().unique().references('uuid').inTable('ledger_transactions');
      column.cents('desired_deposit_quantity_cents').notNullable();
      column.text('sales_contract_reference_id', 255).nullable();
      column.code('provider_slug').nullable().references('slug').inTable('sales_contract_reference_providers');
      column.instant('created').notNullable();
      table.index(['sales_contract_reference_id']);
    }),
  ],
};
