import { createTable } from '../src/columns.ts';
import type { Migration } from './migration.ts';

/** Users and stored roles, replies kept for idempotency keys, and the message transport: its two ends and a bus. */
export const platform: Migration = {
  name: '0001-platform',
  async up(db) {
    await createTable(db, 'users', (table, column) => {
      table.bigIncrements('id');
      column.text('username', 150).notNullable().unique();
      column.text('email', 254).notNullable().defaultTo('');
      column.text('full_name', 255).nullable();
      table.integer('lms_user_id').nullable();
      column.boolean('is_staff');
      column.boolean('is_superuser');
      column.boolean('is_active', true);
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      table.index(['lms_user_id']);
    });
    await createTable(db, 'role_assignments', (table, column) => {
      table.bigIncrements('id');
      table.bigInteger('user_id').unsigned().notNullable().references('id').inTable('users').onDelete('CASCADE');
      column.code('feature_role', 255).notNullable();
      // Null stands for every customer.
      column.uuid('enterprise_customer_uuid').nullable();
      column.instant('created').notNullable();
      table.index(['user_id']);
    });
    await createTable(db, 'idempotency_records', (table, column) => {
      column.code('actor', 64).notNullable();
      column.code('operation', 64).notNullable();
      column.text('idempotency_key', 255).notNullable();
      column.code('fingerprint', 64).notNullable();
      column.json('reply').nullable();
      column.instant('created').notNullable();
      column.instant('started').notNullable();
      table.primary(['actor', 'operation', 'idempotency_key']);
      table.index(['created']);
    });
    await createTable(db, 'outbox', (table, column) => {
      table.bigIncrements('position');
      column.uuid('uuid').notNullable().unique();
      column.code('kind', 8).notNullable();
      column.code('name', 120).notNullable();
      column.text('message_key', 200).notNullable();
      column.json('payload').notNullable();
      column.instant('created').notNullable();
      column.instant('sent').nullable();
      // The relay reads what is not sent yet, oldest first.
      table.index(['sent', 'position']);
    });
    await createTable(db, 'inbox', (table, column) => {
      column.code('consumer', 80).notNullable();
      column.text('message_id', 200).notNullable();
      column.instant('received').notNullable();
      table.primary(['consumer', 'message_id']);
      table.index(['received']);
    });
    // The bus of installations without Kafka: a log per topic, and how far each group has come in it.
    await createTable(db, 'bus_topics', (table, column) => {
      column.code('topic', 120).primary();
      table.bigInteger('last_position').notNullable();
    });
    await createTable(db, 'bus_messages', (table, column) => {
      column.code('topic', 120).notNullable();
      table.bigInteger('position').notNullable();
      column.text('message_id', 64).notNullable();
      column.text('message_key', 200).notNullable();
      column.json('headers').notNullable();
      column.json('payload').notNullable();
      column.instant('published').notNullable();
      table.primary(['topic', 'position']);
      table.unique(['topic', 'message_id']);
      table.index(['topic', 'published']);
      table.index(['published']);
    });
    await createTable(db, 'bus_positions', (table, column) => {
      column.code('consumer_group', 120).notNullable();
      column.code('topic', 120).notNullable();
      table.bigInteger('position').notNullable();
      table.primary(['consumer_group', 'topic']);
    });
  },
};
