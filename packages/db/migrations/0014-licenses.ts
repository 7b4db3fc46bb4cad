import {
  addComputed,
  createTable,
  foldedText,
  indexNullsFirst,
  type Schema,
  textType,
  uniqueAmong,
} from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Ids of the old license manager, which settings of callers name. */
const PLAN_TYPES = [
  {
    id: 1,
    label: 'Standard Paid',
    description: 'A paid subscription plan',
    paid: true,
    ns: true,
    sf: true,
    internal: false,
  },
  {
    id: 2,
    label: 'OCE',
    description: 'Online Campus Essentials, unpaid subscription plan for academic institutions',
    paid: false,
    ns: false,
    sf: true,
    internal: false,
  },
  {
    id: 3,
    label: 'Trial',
    description: 'Limited free subscription plan for prospective customers',
    paid: false,
    ns: false,
    sf: true,
    internal: false,
  },
  {
    id: 4,
    label: 'Test',
    description: 'Internal edX subscription testing',
    paid: false,
    ns: false,
    sf: false,
    internal: true,
  },
];

const planTypes = ({ db }: Schema) =>
  db('plan_types')
    .insert(
      PLAN_TYPES.map(({ id, label, description, paid, ns, sf, internal }) => ({
        id,
        label,
        description,
        is_paid_subscription: paid,
        ns_id_required: ns,
        sf_id_required: sf,
        internal_use_only: internal,
      })),
    )
    .onConflict('id')
    .ignore();

/** Order of the lists of a plan's licences, for each status by itself. */
const listIndex = (schema: Schema, name: string, nullable: string) =>
  indexNullsFirst(schema, 'licenses', {
    name: `licenses_by_${name}`,
    key: ['subscription_plan_uuid', 'status'],
    nullable,
    last: 'uuid',
  });

/** Customer agreements, their subscription plans, and the licences of the plans. */
export const licenses: Migration = {
  name: '0014-licenses',
  up: (schema) => [
    createTable(schema, 'customer_agreements', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable().unique();
      column.text('enterprise_customer_slug', 128).nullable().unique();
      column.text('enterprise_customer_name', 255).nullable();
      column.uuid('default_enterprise_catalog_uuid').nullable();
      column.boolean('disable_expiration_notifications');
      column.boolean('disable_onboarding_notifications');
      table.integer('days_before_purge').notNullable();
      // What learners see when their plan has expired; null is the standard text.
      column.json('expiration_messaging').nullable();
      column.boolean('enable_auto_applied_subscriptions_with_universal_link');
      column.boolean('enable_auto_scaling_of_current_plan');
      table.integer('auto_scaling_max_licenses').nullable();
      table.integer('auto_scaling_threshold_percentage').nullable();
      table.integer('auto_scaling_increment_percentage').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['enable_auto_scaling_of_current_plan', 'uuid'], 'customer_agreements_scaling');
    }),
    createTable(schema, 'plan_types', (table, column) => {
      table.integer('id').primary();
      column.text('label', 128).notNullable().unique();
      column.text('description', 255).notNullable();
      column.boolean('is_paid_subscription');
      column.boolean('ns_id_required');
      column.boolean('sf_id_required');
      column.boolean('internal_use_only');
    }),
    planTypes(schema),
    createTable(schema, 'products', (table, column) => {
      table.increments('id');
      column.uuid('uuid').notNullable().unique();
      column.text('name', 128).notNullable();
      column.text('description', 255).notNullable();
      column.text('salesforce_product_id', 255).nullable();
      table.integer('netsuite_id').nullable();
      table.integer('plan_type_id').notNullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.unique(['plan_type_id', 'name'], { indexName: 'products_name' });
    }),
    createTable(schema, 'subscription_plans', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.uuid('customer_agreement_uuid').notNullable();
      column.text('title', 128).notNullable();
      column.instant('start_date').notNullable();
      column.instant('expiration_date').notNullable();
      column.boolean('expiration_processed');
      column.uuid('enterprise_catalog_uuid').notNullable();
      column.boolean('is_active');
      column.boolean('is_revocation_cap_enabled');
      table.integer('revoke_max_percentage').notNullable();
      table.integer('num_revocations_applied').notNullable().defaultTo(0);
      column.text('salesforce_opportunity_line_item', 18).nullable();
      table.integer('product_id').nullable();
      column.boolean('for_internal_use_only');
      column.boolean('can_freeze_unused_licenses');
      column.instant('last_freeze_timestamp').nullable();
      // Null is unknown: never said.
      table.boolean('should_auto_apply_licenses').nullable();
      // Since when licences are applied without interruption.
      column.instant('auto_apply_since').nullable();
      table.integer('desired_num_licenses').nullable();
      // Of a learner's licences for a course, that of the plan with the highest priority is used.
      table.integer('priority').notNullable().defaultTo(0);
      // Progress of the jobs that end the enrollments of an expired plan and announce it: which expiration, and the last
      // licence.
      column.instant('expiration_progress_of').nullable();
      column.uuid('expiration_sent_to').nullable();
      column.uuid('expiration_announced_to').nullable();
      // Counters, changed in the transactions that change licences. That update also locks the plan.
      table.integer('unassigned_count').notNullable().defaultTo(0);
      table.integer('assigned_count').notNullable().defaultTo(0);
      table.integer('activated_count').notNullable().defaultTo(0);
      table.integer('revoked_count').notNullable().defaultTo(0);
      // Of the revoked ones, those whose address was removed.
      table.integer('retired_count').notNullable().defaultTo(0);
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.unique(['customer_agreement_uuid', 'title'], { indexName: 'subscription_plans_title' });
      table.index(['customer_agreement_uuid', 'start_date', 'uuid'], 'subscription_plans_agreement');
      table.index(['enterprise_customer_uuid', 'is_active', 'start_date', 'uuid'], 'subscription_plans_customer');
      table.index(['start_date', 'uuid'], 'subscription_plans_start');
      table.index(['expiration_date', 'uuid'], 'subscription_plans_expiration');
      table.index(['expiration_processed', 'expiration_date', 'uuid'], 'subscription_plans_unprocessed');
    }),
    createTable(schema, 'subscription_plan_renewals', (table, column) => {
      table.increments('id');
      column.uuid('uuid').notNullable().unique();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.uuid('customer_agreement_uuid').notNullable();
      // At most one renewal out of a plan, and at most one into a plan.
      column.uuid('prior_subscription_plan_uuid').notNullable().unique();
      column.uuid('renewed_subscription_plan_uuid').nullable().unique();
      column.text('salesforce_opportunity_id', 18).nullable();
      table.integer('number_of_licenses').notNullable();
      column.instant('effective_date').notNullable();
      column.instant('renewed_expiration_date').notNullable();
      column.boolean('processed');
      column.instant('processed_datetime').nullable();
      column.text('renewed_plan_title', 128).nullable();
      column.code('license_types_to_copy').notNullable();
      column.boolean('disable_auto_apply_licenses');
      column.boolean('exempt_from_batch_processing');
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['customer_agreement_uuid'], 'subscription_plan_renewals_agreement');
      table.index(['processed', 'effective_date'], 'subscription_plan_renewals_due');
      table.index(['salesforce_opportunity_id'], 'subscription_plan_renewals_salesforce');
    }),
    createTable(schema, 'licenses', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.uuid('subscription_plan_uuid').notNullable();
      column.code('status').notNullable();
      // Personal data.
      column.text('user_email', 254).nullable();
      table.integer('lms_user_id').nullable();
      // New with every assignment; a renewed licence keeps it.
      column.uuid('activation_key').nullable();
      column.instant('assigned_date').nullable();
      column.instant('activation_date').nullable();
      column.instant('last_remind_date').nullable();
      column.instant('revoked_date').nullable();
      column.uuid('renewed_to_uuid').nullable().unique();
      column.boolean('auto_applied');
      // The contact in Salesforce for whom the licence was assigned.
      column.text('salesforce_contact_id', 18).nullable();
      // Expirations of the plan about which the holder has had a mail: before and after.
      column.instant('reminded_of_expiration').nullable();
      column.instant('told_of_expiration').nullable();
      // When the holder of an expired licence was unlinked from the customer, and when 180 days of use were announced.
      column.instant('unlinked').nullable();
      column.instant('half_year_announced').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
    }),
    createTable(schema, 'plan_notifications', (table, column) => {
      column.uuid('subscription_plan_uuid').notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.code('kind').notNullable();
      column.instant('sent').notNullable();
      table.primary(['subscription_plan_uuid', 'kind']);
    }),
    addComputed(schema, 'licenses', [
      { name: 'user_email_key', type: textType(schema, 254), as: foldedText(schema, 'user_email') },
    ]),
    listIndex(schema, 'email', 'user_email_key'),
    listIndex(schema, 'activation', 'activation_date'),
    listIndex(schema, 'reminder', 'last_remind_date'),
    schema.db.schema.alterTable('licenses', (table) => {
      table.index(['subscription_plan_uuid', 'uuid'], 'licenses_plan');
      table.index(['subscription_plan_uuid', 'status', 'uuid'], 'licenses_status');
      table.index(['user_email_key', 'enterprise_customer_uuid'], 'licenses_email');
      table.index(['lms_user_id', 'enterprise_customer_uuid'], 'licenses_account');
    }),
    // One licence that is assigned or activated per plan and address.
    ...uniqueAmong(schema, 'licenses', {
      name: 'live',
      among: "status in ('assigned', 'activated')",
      key: ['subscription_plan_uuid', 'user_email_key'],
    }),
  ],
};
