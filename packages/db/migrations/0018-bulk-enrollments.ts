import { createTable } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Enrollments of many learners with their licences, and what became of each pair of learner and course run. */
export const bulkEnrollments: Migration = {
  name: '0018-bulk-enrollments',
  up: (schema) => [
    createTable(schema, 'bulk_enrollments', (table, column) => {
      column.uuid('uuid').primary();
      column.uuid('enterprise_customer_uuid').notNullable();
      column.uuid('customer_agreement_uuid').notNullable();
      // Null is all plans of the agreement.
      column.uuid('subscription_plan_uuid').nullable();
      column.uuid('job_uuid').notNullable();
      table.integer('requested_by').nullable();
      column.json('course_run_keys').notNullable();
      column.boolean('notify');
      // Whether all pairs are stored, and the last licence whose pairs are.
      column.boolean('is_planned');
      column.uuid('planned_to').nullable();
      column.text('result_file', 255).nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      column.instant('finished').nullable();
      table.index(['created', 'uuid'], 'bulk_enrollments_created');
    }),
    createTable(schema, 'bulk_enrollment_pairs', (table, column) => {
      column.uuid('bulk_enrollment_uuid').notNullable();
      table.integer('position').notNullable();
      column.uuid('enterprise_customer_uuid').notNullable();
      // Pairs of one call to the LMS.
      table.integer('batch').notNullable();
      // Personal data.
      column.text('email', 254).notNullable();
      column.text('course_run_key', 255).notNullable();
      column.uuid('license_uuid').nullable();
      // Null is not done yet.
      column.code('outcome').nullable();
      column.instant('created').notNullable();
      table.primary(['bulk_enrollment_uuid', 'position']);
      table.index(['bulk_enrollment_uuid', 'outcome', 'batch'], 'bulk_enrollment_pairs_outcome');
    }),
  ],
};
