import { createTable, uniqueAmong } from '../src/columns.ts';
import { createHistoryTable } from './history-table.ts';
import type { Migration } from './migration.ts';

/** Access policies with their budgets, group associations, and the redemptions made through them. */
export const policies: Migration = {
  name: '0003-policies',
  up: (schema) => [
    createTable(schema, 'assignment_configurations', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.boolean('active', true);
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['enterprise_customer_uuid']);
    }),
    createTable(schema, 'policies', (table, column) => {
      column.uuid('uuid').primary();
      column.code('policy_type', 64).notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.text('display_name', 512).nullable();
      table.text('description').notNullable();
      column.boolean('active');
      column.boolean('retired');
      column.instant('retired_at').nullable();
      column.uuid('catalog_uuid').notNullable();
      column.uuid('subsidy_uuid').notNullable();
      column.code('access_method').notNullable();
      // Deposits raise it, so it may outgrow the 32 bits that callers can set.
      column.cents('spend_limit_cents').nullable();
      table.integer('per_learner_enrollment_limit').nullable();
      column.cents('per_learner_spend_limit_cents').nullable();
      column.instant('late_redemption_allowed_until').nullable();
      column
        .uuid('assignment_configuration_uuid')
        .nullable()
        .unique()
        .references('uuid')
        .inTable('assignment_configurations')
        .onDelete('SET NULL');
      column.uuid('learner_credit_request_config_uuid').nullable().unique();
      // The budget: what standing redemptions have taken, in flight or done. Changed by conditional updates only.
      column.cents('spent_cents').notNullable().defaultTo(0);
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['enterprise_customer_uuid', 'active', 'created'], 'policies_customer');
      table.index(['subsidy_uuid', 'active'], 'policies_subsidy');
    }),
    createHistoryTable(schema, 'policies'),
    createTable(schema, 'policy_learner_budgets', (table, column) => {
      // No foreign key, here and at redemptions, as at ledger transactions: policies are never deleted.
      column.uuid('policy_uuid').notNullable();
      table.integer('lms_user_id').notNullable();
      column.cents('spent_cents').notNullable().defaultTo(0);
      table.integer('redemption_count').notNullable().defaultTo(0);
      table.primary(['policy_uuid', 'lms_user_id']);
    }),
    // One row per subsidy that policies draw on: holding it serializes changes to the set of their spend limits.
    createTable(schema, 'policy_ceilings', (_table, column) => {
      column.uuid('subsidy_uuid').primary();
    }),
    createTable(schema, 'policy_groups', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('policy_uuid').notNullable().references('uuid').inTable('policies').onDelete('CASCADE');
      column.uuid('enterprise_group_uuid').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.unique(['policy_uuid', 'enterprise_group_uuid']);
      table.index(['enterprise_group_uuid']);
    }),
    createTable(schema, 'policy_deposits', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('policy_uuid').notNullable().references('uuid').inTable('policies');
      column.text('idempotency_key', 255).notNullable().unique();
      column.cents('quantity_cents').notNullable();
      column.text('sales_contract_reference_id', 255).notNullable();
      column.code('state').notNullable();
      table.bigInteger('actor_user_id').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['state', 'modified']);
    }),
    createTable(schema, 'redemptions', (table, column) => {
      // Also the uuid of the ledger transaction when the ledger is ours.
      column.uuid('uuid').primary();
      column.uuid('policy_uuid').notNullable();
      column.uuid('subsidy_uuid').notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      table.integer('lms_user_id').notNullable();
      column.text('content_key', 255).notNullable();
      column.cents('price_cents').notNullable();
      column.cents('requested_price_cents').nullable();
      column.text('idempotency_key', 255).notNullable().unique();
      column.code('state').notNullable();
      column.json('metadata').nullable();
      column.json('content').notNullable();
      column.uuid('transaction_uuid').nullable();
      column.code('error_code', 64).nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['state', 'modified'], 'redemptions_state');
      table.index(['transaction_uuid'], 'redemptions_transaction');
      table.index(['policy_uuid', 'lms_user_id'], 'redemptions_policy');
    }),
    ...uniqueAmong(schema, 'redemptions', {
      name: 'standing',
      among: "state in ('pending', 'committed')",
      key: ['subsidy_uuid', 'lms_user_id', 'content_key'],
    }),
    createTable(schema, 'forced_redemptions', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('policy_uuid').nullable().references('uuid').inTable('policies').onDelete('SET NULL');
      table.integer('lms_user_id').notNullable();
      column.text('course_run_key', 255).notNullable();
      column.cents('content_price_cents').notNullable();
      column.boolean('wait_to_redeem');
      column.instant('redeemed_at').nullable();
      column.instant('errored_at').nullable();
      // What went wrong, in words for support staff; never an upstream body.
      table.text('traceback').nullable();
      column.uuid('transaction_uuid').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['lms_user_id']);
      table.index(['course_run_key']);
      table.index(['transaction_uuid']);
    }),
    createHistoryTable(schema, 'forced_redemptions'),
  ],
};
