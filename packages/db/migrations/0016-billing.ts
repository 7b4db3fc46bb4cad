import { createTable, uniqueAmong } from '../src/columns.ts';
import type { Migration } from './migration.ts';

const HELD = "state in ('created', 'paid')";

/** Checkout intents with what they reserve, what Stripe has told about them, and what can be bought. */
export const billing: Migration = {
  name: '0016-billing',
  up: (schema) => [
    // `uuid` identifies the row in the audit trail; callers know a product by its slug.
    createTable(schema, 'ssp_products', (table, column) => {
      column.uuid('uuid').primary();
      column.text('slug', 255).notNullable().unique('ssp_products_slug');
      column.text('stripe_price_lookup_key', 255).notNullable().unique('ssp_products_lookup_key');
      column.uuid('academy_uuid').nullable();
      table.integer('catalog_query_id').notNullable().defaultTo(0);
      column.uuid('catalog_query_uuid').nullable();
      table.integer('license_manager_product_id_trial').nullable();
      table.integer('license_manager_product_id_paid').nullable();
      column.boolean('is_active', true);
      column.text('marketing_url', 255).nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
    }),
    createTable(schema, 'enterprise_academies', (table, column) => {
      column.uuid('uuid').primary();
      column.text('name', 255).notNullable().unique('enterprise_academies_name');
      column.text('long_name', 512).notNullable();
      table.text('description').notNullable();
      column.text('marketing_url', 2_048).notNullable();
      column.text('thumbnail_url', 2_048).notNullable();
      column.json('tags').notNullable();
      // Null where there is none: a unique key admits any number of them.
      column.text('stripe_product_id', 255).nullable().unique('enterprise_academies_product');
      column.text('stripe_price_lookup_key', 255).nullable().unique('enterprise_academies_lookup_key');
      table.integer('catalog_query_id').nullable();
      column.text('product_key', 255).nullable().unique('enterprise_academies_key');
      column.text('slug', 255).nullable().unique('enterprise_academies_slug');
      column.boolean('is_active', true);
      table.integer('display_order').notNullable().defaultTo(0);
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['is_active', 'display_order', 'name'], 'enterprise_academies_order');
    }),
    createTable(schema, 'checkout_intents', (table, column) => {
      column.uuid('uuid').primary();
      // The number by which old callers and Stripe's metadata name it. Random, because it is used in addresses.
      table.integer('id').notNullable().unique('checkout_intents_id');
      table.bigInteger('user_id').notNullable();
      // Null until provisioning has built the customer.
      column.uuid('enterprise_customer_uuid').nullable();
      column.text('ssp_product', 255).notNullable();
      column.code('product_line').notNullable();
      column.text('stripe_product_id', 255).notNullable();
      column.code('state').notNullable();
      column.text('enterprise_name', 255).nullable();
      column.text('enterprise_slug', 255).nullable();
      column.text('stripe_customer_id', 255).nullable();
      column.text('stripe_subscription_id', 255).nullable();
      column.instant('expires_at').notNullable();
      column.text('stripe_checkout_session_id', 255).nullable();
      // Digest of what the session was asked for: the same request gets the same open session.
      column.code('checkout_fingerprint', 64).nullable();
      table.integer('quantity').notNullable();
      column.code('country', 2).nullable();
      table.text('last_checkout_error').nullable();
      table.text('last_provisioning_error').nullable();
      column.uuid('workflow_uuid').nullable();
      // Personal data: may hold the address and the browser of the buyer.
      column.json('terms_metadata').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['user_id', 'created'], 'checkout_intents_user');
      table.index(['created', 'uuid'], 'checkout_intents_created');
      table.index(['state', 'expires_at'], 'checkout_intents_expiry');
      table.index(['state', 'modified'], 'checkout_intents_modified');
      table.index(['enterprise_slug', 'state'], 'checkout_intents_slug');
      table.index(['enterprise_name', 'state'], 'checkout_intents_name');
      table.index(['enterprise_customer_uuid', 'created'], 'checkout_intents_customer');
      table.index(['stripe_customer_id'], 'checkout_intents_stripe_customer');
      table.index(['stripe_subscription_id'], 'checkout_intents_subscription');
    }),
    // R-BILL-22, on both dialects: one active intent per buyer and product, one Teams trial per buyer.
    ...uniqueAmong(schema, 'checkout_intents', {
      name: 'active_product',
      among: HELD,
      key: ['user_id', 'ssp_product'],
    }),
    ...uniqueAmong(schema, 'checkout_intents', {
      name: 'teams_trial',
      among: "product_line = 'teams' and state in ('created', 'paid', 'fulfilled')",
      key: ['user_id'],
    }),
    // A slug or a name belongs to one buyer while one of the buyer's intents that is not expired has it (R-BILL-02).
    createTable(schema, 'checkout_reservations', (table, column) => {
      column.code('kind').notNullable();
      column.text('value', 255).notNullable();
      table.bigInteger('user_id').notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.primary(['kind', 'value']);
    }),
    createTable(schema, 'stripe_events', (table, column) => {
      column.code('event_id', 255).primary();
      column.code('event_type', 255).notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.uuid('checkout_intent_uuid').nullable();
      column.instant('stripe_created').notNullable();
      column.code('object_id', 255).notNullable();
      column.code('subscription_id', 255).nullable();
      // Personal data until it is scrubbed.
      column.json('data').notNullable();
      column.code('outcome').nullable();
      column.instant('handled_at').nullable();
      column.code('last_error', 255).nullable();
      column.instant('scrubbed_at').nullable();
      column.instant('created').notNullable();
      table.index(['handled_at', 'created'], 'stripe_events_unhandled');
      table.index(['scrubbed_at', 'created'], 'stripe_events_scrubbing');
      table.index(['checkout_intent_uuid', 'stripe_created'], 'stripe_events_intent');
      table.index(['created', 'event_id'], 'stripe_events_order');
    }),
    createTable(schema, 'stripe_event_summaries', (table, column) => {
      column.uuid('uuid').primary();
      table.integer('id').notNullable().unique('stripe_event_summaries_id');
      column.code('event_id', 255).notNullable().unique('stripe_event_summaries_event');
      column.code('event_type', 255).notNullable();
      column.instant('stripe_event_created_at').notNullable();
      column.uuid('checkout_intent_uuid').nullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.uuid('subscription_plan_uuid').nullable();
      column.code('currency', 3).nullable();
      column.code('stripe_object_type', 50).nullable();
      column.code('stripe_subscription_id', 255).nullable();
      column.code('stripe_invoice_id', 255).nullable();
      column.code('subscription_status', 50).nullable();
      column.instant('subscription_period_start').nullable();
      column.instant('subscription_period_end').nullable();
      column.instant('subscription_cancel_at').nullable();
      column.cents('invoice_amount_paid').nullable();
      column.cents('invoice_unit_amount').nullable();
      column.code('invoice_unit_amount_decimal', 40).nullable();
      table.integer('invoice_quantity').nullable();
      column.code('invoice_currency', 3).nullable();
      column.cents('upcoming_invoice_amount_due').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['subscription_plan_uuid', 'stripe_event_created_at'], 'stripe_event_summaries_plan');
      table.index(['checkout_intent_uuid', 'stripe_event_created_at'], 'stripe_event_summaries_intent');
    }),
    // The newest state of a subscription that Stripe has told, whatever the order of its events.
    createTable(schema, 'stripe_subscriptions', (table, column) => {
      column.uuid('uuid').primary();
      column.code('stripe_subscription_id', 255).notNullable().unique('stripe_subscriptions_id');
      column.uuid('checkout_intent_uuid').notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.code('stripe_customer_id', 255).notNullable();
      column.code('status', 50).notNullable();
      column.instant('cancel_at').nullable();
      column.instant('ended_at').nullable();
      column.instant('trial_end').nullable();
      column.instant('period_start').nullable();
      column.instant('period_end').nullable();
      table.integer('quantity').nullable();
      column.code('unit_amount_decimal', 40).nullable();
      column.code('currency', 3).nullable();
      column.code('price_id', 255).nullable();
      column.code('default_payment_method', 255).nullable();
      // Stripe's time of the event that told this.
      column.instant('as_of').notNullable();
      column.code('as_of_event', 255).notNullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['checkout_intent_uuid'], 'stripe_subscriptions_intent');
      table.index(['enterprise_customer_uuid'], 'stripe_subscriptions_customer');
    }),
    createTable(schema, 'stripe_invoices', (table, column) => {
      column.uuid('uuid').primary();
      column.code('stripe_invoice_id', 255).notNullable().unique('stripe_invoices_id');
      column.code('stripe_subscription_id', 255).notNullable();
      column.uuid('checkout_intent_uuid').notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.code('billing_reason', 64).nullable();
      column.code('kind').nullable();
      column.cents('amount_paid_cents').notNullable();
      column.code('currency', 3).notNullable();
      column.instant('period_start').nullable();
      column.instant('paid_at').nullable();
      column.uuid('renewal_uuid').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['stripe_subscription_id', 'period_start'], 'stripe_invoices_subscription');
      table.index(['checkout_intent_uuid'], 'stripe_invoices_intent');
      table.index(['kind', 'renewal_uuid'], 'stripe_invoices_kind');
    }),
    createTable(schema, 'subscription_renewals', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('checkout_intent_uuid').notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      table.integer('subscription_plan_renewal_id').notNullable();
      column.uuid('prior_subscription_plan_uuid').nullable();
      column.uuid('renewed_subscription_plan_uuid').nullable();
      column.code('event_id', 255).nullable();
      column.code('stripe_subscription_id', 255).nullable();
      column.code('stripe_invoice_id', 255).nullable();
      column.instant('effective_date').nullable();
      column.instant('processed_at').nullable();
      column.boolean('is_canceled');
      column.instant('subscription_cancel_at').nullable();
      // What the licence slice was told last; null when it was told nothing.
      column.code('plan_state').nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.unique(['checkout_intent_uuid', 'subscription_plan_renewal_id'], {
        indexName: 'subscription_renewals_renewal',
      });
      table.index(['stripe_subscription_id'], 'subscription_renewals_subscription');
      table.index(['stripe_invoice_id'], 'subscription_renewals_invoice');
      table.index(['prior_subscription_plan_uuid'], 'subscription_renewals_prior');
      table.index(['renewed_subscription_plan_uuid'], 'subscription_renewals_renewed');
      table.index(['processed_at', 'created'], 'subscription_renewals_open');
    }),
  ],
};
