import {
  addComputed,
  type Computed,
  createTable,
  foldedText,
  type Schema,
  textType,
  uniqueAmong,
} from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** What lists filter and sort by follows from the row alone; the latest action is kept in the row for that. */
const derived = (schema: Schema): readonly Computed[] => [
  { name: 'user_email_key', type: textType(schema, 254), as: foldedText(schema, 'user_email') },
  { name: 'course_key', type: textType(schema, 128), as: "coalesce(course_id, '')" },
  {
    name: 'learner_request_state',
    type: textType(schema, 32),
    as: `case
    when latest_action_error is not null then 'failed'
    when latest_action_type in ('approved', 'reminded') then 'waiting'
    when state = 'requested' then 'requested'
    when state = 'declined' then 'declined'
    when state = 'cancelled' then 'cancelled'
    when state = 'error' then 'error'
    when state = 'approved' then 'waiting'
    end`,
  },
  {
    name: 'state_sort_order',
    type: 'smallint',
    as: "case when state = 'requested' then 0 when state = 'declined' then 1 when state = 'cancelled' then 2 else 3 end",
  },
];

/** Browse & Request: the configuration of customers, and what learners request from budgets. */
export const requests: Migration = {
  name: '0015-requests',
  up: (schema) => [
    createTable(schema, 'request_customer_configurations', (table, column) => {
      // The customer; there is one configuration each.
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable().unique();
      column.boolean('subsidy_requests_enabled');
      column.code('subsidy_type').nullable();
      table.integer('changed_by_user_id').nullable();
      table.integer('changed_by_lms_user_id').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['created', 'uuid'], 'request_customer_configurations_created');
    }),
    createTable(schema, 'learner_credit_requests', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.uuid('policy_uuid').notNullable();
      column.uuid('learner_credit_request_config_uuid').notNullable();
      table.integer('user_id').notNullable();
      table.integer('lms_user_id').nullable();
      // Personal data: a copy of the user's address, so that lists can search and sort by it.
      column.text('user_email', 254).notNullable();
      column.text('course_id', 128).nullable();
      column.text('course_title', 255).nullable();
      column.json('course_partners').nullable();
      column.cents('course_price_cents').nullable();
      column.code('state').notNullable();
      column.uuid('assignment_uuid').nullable().unique();
      table.integer('reviewer_user_id').nullable();
      table.integer('reviewer_lms_user_id').nullable();
      column.instant('reviewed_at').nullable();
      column.text('decline_reason', 255).nullable();
      column.uuid('latest_action_uuid').nullable();
      column.code('latest_action_type').nullable();
      column.code('latest_action_status').nullable();
      column.code('latest_action_error').nullable();
      column.instant('latest_action_at').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
    }),
    addComputed(schema, 'learner_credit_requests', derived(schema)),
    schema.db.schema.alterTable('learner_credit_requests', (table) => {
      table.index(['enterprise_customer_uuid', 'created', 'uuid'], 'learner_credit_requests_customer');
      table.index(
        ['enterprise_customer_uuid', 'learner_request_state', 'created', 'uuid'],
        'learner_credit_requests_customer_state',
      );
      table.index(['policy_uuid', 'created', 'uuid'], 'learner_credit_requests_policy');
      table.index(
        ['policy_uuid', 'learner_request_state', 'created', 'uuid'],
        'learner_credit_requests_policy_derived',
      );
      table.index(['policy_uuid', 'state', 'uuid'], 'learner_credit_requests_policy_state');
      table.index(['policy_uuid', 'latest_action_at', 'uuid'], 'learner_credit_requests_policy_action');
      table.index(['policy_uuid', 'user_email_key', 'uuid'], 'learner_credit_requests_policy_email');
      table.index(['lms_user_id', 'enterprise_customer_uuid', 'created'], 'learner_credit_requests_learner');
      table.index(['user_id', 'created', 'uuid'], 'learner_credit_requests_user');
    }),
    // One open request of a learner for a course, whatever the budget.
    ...uniqueAmong(schema, 'learner_credit_requests', {
      name: 'open_request',
      among: "state in ('requested', 'approved', 'error', 'accepted')",
      key: ['enterprise_customer_uuid', 'user_id', 'course_key'],
    }),
    createTable(schema, 'learner_credit_request_actions', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('learner_credit_request_uuid').notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.code('recent_action').notNullable();
      column.code('status').notNullable();
      column.code('error_reason').nullable();
      // In our own words; never what another service said.
      table.text('traceback').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['learner_credit_request_uuid', 'created'], 'learner_credit_request_actions_request');
      table.index(['enterprise_customer_uuid', 'created'], 'learner_credit_request_actions_customer');
    }),
  ],
};
