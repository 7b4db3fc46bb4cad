import {
  addComputed,
  type Computed,
  columns,
  createTable,
  instantType,
  type Schema,
  textType,
  uniqueAmong,
} from '../src/columns.ts';
import { createHistoryTable } from './history-table.ts';
import type { Migration } from './migration.ts';

/**
 * What a list can be asked for follows from the row alone, and is computed by the database: the address as it is
 * compared, the time of the recent action (R-ASG-31), and the class, a refinement of both the state and the learner
 * state (R-ASG-32) in the order in which lists are sorted (R-ASG-33).
 */
const derived = (schema: Schema): readonly Computed[] => [
  { name: 'learner_email_key', type: textType(schema, 254), as: 'lower(learner_email)' },
  {
    name: 'recent_action_at',
    type: instantType(schema),
    as: 'case when reminded_at > allocated_at then reminded_at else allocated_at end',
  },
  {
    name: 'status_class',
    type: 'smallint',
    as: `case
    when state = 'allocated' and notified_at is not null then 1
    when state = 'allocated' and notify_errored_at is not null then 3
    when state = 'allocated' then 0
    when state = 'expired' then 2
    when state = 'errored' then 4
    when state = 'accepted' then 5
    when state = 'cancelled' then 6
    else 7 end`,
  },
];

// One learner holds one content once, by address and by account; what is over does not count.
const ACTIVE = "state in ('allocated', 'accepted')";

/** Credit that administrators allocate to learners, what happened to it, and what it holds of the budgets. */
export const assignments: Migration = {
  name: '0006-assignments',
  up: (schema) => [
    createHistoryTable(schema, 'assignment_configurations'),
    createTable(schema, 'assignments', (table, column) => {
      column.uuid('uuid').primary();
      // No foreign key, here and at the actions, as at ledger transactions: configurations are never deleted.
      column.uuid('assignment_configuration_uuid').notNullable();
      // Personal data; the history has no copy.
      column.text('learner_email', 254).notNullable();
      table.integer('lms_user_id').nullable();
      column.text('content_key', 255).notNullable();
      column.text('parent_content_key', 255).nullable();
      column.boolean('is_assigned_course_run');
      column.text('content_title', 255).nullable();
      column.cents('price_cents').notNullable();
      column.text('preferred_course_run_key', 255).nullable();
      column.code('state').notNullable();
      column.instant('allocated_at').notNullable();
      column.instant('accepted_at').nullable();
      column.instant('cancelled_at').nullable();
      column.instant('expired_at').nullable();
      column.instant('errored_at').nullable();
      column.instant('reversed_at').nullable();
      column.code('expiration_reason').nullable();
      // From then on the address can be forgotten; null when it must stay, or is forgotten already.
      column.instant('retire_address_from').nullable();
      column.uuid('transaction_uuid').nullable();
      // The redemption in flight that has taken this assignment; nobody else may move it until that ends.
      column.uuid('redemption_uuid').nullable();
      column.uuid('allocation_batch_uuid').nullable();
      table.integer('admin_lms_user_id').nullable();
      // What actions since the last allocation have brought, kept here so that lists need not look for it.
      column.instant('notified_at').nullable();
      column.instant('notify_errored_at').nullable();
      column.instant('reminded_at').nullable();
      column.code('error_action_type').nullable();
      column.code('error_reason').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
    }),
    addComputed(schema, 'assignments', derived(schema)),
    schema.db.schema.alterTable('assignments', (table) => {
      // Every filter is a set of classes and content keys, and every order continues one of these.
      table.index(['assignment_configuration_uuid', 'recent_action_at', 'uuid'], 'assignments_recent');
      table.index(['assignment_configuration_uuid', 'price_cents', 'uuid'], 'assignments_price');
      const ofClass = ['assignment_configuration_uuid', 'status_class'];
      table.index([...ofClass, 'recent_action_at', 'uuid'], 'assignments_class_recent');
      table.index([...ofClass, 'price_cents', 'uuid'], 'assignments_class_price');
      const ofContent = ['assignment_configuration_uuid', 'content_key', 'status_class'];
      table.index([...ofContent, 'recent_action_at', 'uuid'], 'assignments_content_recent');
      table.index([...ofContent, 'price_cents', 'uuid'], 'assignments_content_price');
      table.index(['assignment_configuration_uuid', 'state', 'uuid'], 'assignments_state');
      // A first login looks for what waits for its address, whatever the configuration.
      table.index(['learner_email_key', 'lms_user_id'], 'assignments_email');
      table.index(['transaction_uuid'], 'assignments_transaction');
      table.index(['retire_address_from'], 'assignments_retirement');
    }),
    ...uniqueAmong(schema, 'assignments', {
      name: 'active_address',
      among: ACTIVE,
      key: ['assignment_configuration_uuid', 'learner_email_key', 'content_key'],
    }),
    ...uniqueAmong(schema, 'assignments', {
      name: 'active_account',
      among: ACTIVE,
      key: ['assignment_configuration_uuid', 'lms_user_id', 'content_key'],
    }),
    createHistoryTable(schema, 'assignments'),
    createTable(schema, 'assignment_actions', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('assignment_uuid').notNullable();
      column.code('action_type').notNullable();
      // Null when it failed.
      column.instant('completed_at').nullable();
      column.code('error_reason').nullable();
      // The kind of failure in our words; never what another service said.
      table.text('traceback').nullable();
      table.integer('actor_lms_user_id').nullable();
      column.code('actor_type').nullable();
      table.integer('learner_lms_user_id').nullable();
      // Personal data, a copy of the time of the action.
      column.text('learner_email', 255).nullable();
      column.code('source', 64).nullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.json('metadata').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['assignment_uuid', 'created'], 'lcaa_assignment_created_idx');
      table.index(['enterprise_customer_uuid', 'created'], 'lcaa_customer_created_idx');
    }),
    // How many assignments of each class a configuration has, for each content key and, under an empty key, in all.
    createTable(schema, 'assignment_counts', (table, column) => {
      column.uuid('assignment_configuration_uuid').notNullable();
      column.text('content_key', 255).notNullable();
      table.smallint('status_class').notNullable();
      table.bigInteger('n').notNullable();
      table.primary(['assignment_configuration_uuid', 'content_key', 'status_class']);
    }),
    // Long lists of learners, cut into chunks: each is allocated in one transaction and says what became of each learner.
    createTable(schema, 'allocation_batches', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('policy_uuid').notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.text('content_key', 255).notNullable();
      column.cents('price_cents').notNullable();
      column.boolean('suppress_email');
      column.code('source', 64).notNullable();
      table.bigInteger('actor_user_id').nullable();
      table.integer('actor_lms_user_id').nullable();
      table.integer('learner_count').notNullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['created']);
    }),
    createTable(schema, 'allocation_chunks', (table, column) => {
      column.uuid('batch_uuid').notNullable();
      table.integer('position').notNullable();
      // Personal data, until the batch is forgotten.
      column.json('learner_emails').notNullable();
      // One per address; null is still to be done.
      column.json('outcomes').notNullable();
      column.instant('finished').nullable();
      column.instant('created').notNullable();
      table.primary(['batch_uuid', 'position']);
      table.index(['created']);
    }),
    schema.db.schema.alterTable('policies', (table) => {
      // The other half of the budget: what allocated assignments hold until they are redeemed or over.
      columns(schema, table).cents('allocated_cents').notNullable().defaultTo(0);
    }),
    schema.db.schema.alterTable('ledgers', (table) => {
      // What allocated assignments of all policies of the subsidy hold of the balance.
      columns(schema, table).cents('reserved_cents').notNullable().defaultTo(0);
    }),
    // The same for subsidies whose ledger is not ours.
    createTable(schema, 'subsidy_reservations', (_table, column) => {
      column.uuid('subsidy_uuid').primary();
      column.cents('reserved_cents').notNullable().defaultTo(0);
    }),
    schema.db.schema.alterTable('redemptions', (table) => {
      columns(schema, table).uuid('assignment_uuid').nullable();
    }),
    addComputed(schema, 'users', [{ name: 'email_key', type: textType(schema, 254), as: 'lower(email)' }]),
    schema.db.schema.alterTable('users', (table) => {
      table.index(['email_key', 'lms_user_id'], 'users_email_key');
    }),
  ],
};
