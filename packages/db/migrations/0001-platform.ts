import { createTable } from '../src/columns.ts';
import { OUTBOX_SHARDS } from '../src/outbox.ts';
import type { Migration } from './migration.ts';

const lanes = ['event', 'job'].flatMap((kind) =>
  Array.from({ length: OUTBOX_SHARDS }, (_, shard) => ({ kind, shard })),
);

/** Users and stored roles, replies kept for idempotency keys, and the message transport: its two ends and a bus. */
export const platform: Migration = {
  name: '0001-platform',
  up: (schema) => [
    createTable(schema, 'users', (table, column) => {
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
    }),
    createTable(schema, 'role_assignments', (table, column) => {
      table.bigIncrements('id');
      table.bigInteger('user_id').unsigned().notNullable().references('id').inTable('users').onDelete('CASCADE');
      column.code('feature_role', 255).notNullable();
      // Null stands for every customer.
      column.uuid('enterprise_customer_uuid').nullable();
      column.instant('created').notNullable();
      table.index(['user_id']);
    }),
    createTable(schema, 'idempotency_records', (table, column) => {
      column.code('actor', 64).notNullable();
      column.code('operation', 64).notNullable();
      column.text('idempotency_key', 255).notNullable();
      column.code('fingerprint', 64).notNullable();
      column.json('reply').nullable();
      column.instant('created').notNullable();
      column.instant('started').notNullable();
      table.primary(['actor', 'operation', 'idempotency_key']);
      table.index(['created']);
    }),
    createTable(schema, 'outbox', (table, column) => {
      table.bigIncrements('position');
      column.uuid('uuid').notNullable().unique();
      column.code('kind', 8).notNullable();
      column.code('name', 120).notNullable();
      column.text('message_key', 200).notNullable();
      column.json('payload').notNullable();
      // W3C trace context of whoever made the change.
      column.code('trace', 64).nullable();
      column.instant('created').notNullable();
      column.instant('sent').nullable();
      // From the key: messages of one key are in one shard.
      table.smallint('shard').notNullable();
      // A relay reads what is not sent yet of a kind and a shard, oldest first.
      table.index(['kind', 'shard', 'sent', 'position'], 'outbox_unsent');
      table.index(['sent'], 'outbox_sent');
    }),
    // Whoever holds the row of a lane relays its messages; so one key has one relay at a time.
    createTable(schema, 'outbox_lanes', (table, column) => {
      column.code('kind', 8).notNullable();
      table.smallint('shard').notNullable();
      table.primary(['kind', 'shard']);
    }),
    schema.db('outbox_lanes').insert(lanes),
    createTable(schema, 'inbox', (table, column) => {
      column.code('consumer', 80).notNullable();
      column.text('message_id', 200).notNullable();
      column.instant('received').notNullable();
      table.primary(['consumer', 'message_id']);
      table.index(['received']);
    }),
    // What long jobs report of themselves, for those who wait for them.
    createTable(schema, 'job_runs', (table, column) => {
      column.uuid('uuid').primary();
      column.code('name', 120).notNullable();
      column.uuid('enterprise_customer_uuid').nullable();
      column.code('state').notNullable();
      table.bigInteger('done').notNullable().defaultTo(0);
      table.bigInteger('total').nullable();
      column.json('result').nullable();
      // A sentence of ours; never what another service said.
      column.text('error', 500).nullable();
      column.instant('created').notNullable();
      column.instant('modified').notNullable();
      column.instant('finished').nullable();
      table.index(['finished']);
    }),
    // The bus of installations without Kafka: a log per topic, and how far each group has come in it.
    createTable(schema, 'bus_topics', (table, column) => {
      column.code('topic', 120).primary();
      table.bigInteger('last_position').notNullable();
    }),
    createTable(schema, 'bus_messages', (table, column) => {
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
    }),
    createTable(schema, 'bus_positions', (table, column) => {
      column.code('consumer_group', 120).notNullable();
      column.code('topic', 120).notNullable();
      table.bigInteger('position').notNullable();
      table.primary(['consumer_group', 'topic']);
    }),
    // Events that had no effect, or could not be sent, as they were: to be looked at and tried again.
    createTable(schema, 'dead_letters', (table, column) => {
      column.uuid('uuid').primary();
      column.code('direction', 8).notNullable();
      // Who should have received it; null on the way out.
      column.code('consumer_group', 120).nullable();
      column.code('topic', 120).notNullable();
      table.integer('partition_number').nullable();
      column.text('position', 40).nullable();
      // Key, value and headers as they came, or the event as it should have gone.
      column.json('message').notNullable();
      column.code('reason').notNullable();
      column.text('detail', 1000).notNullable();
      column.instant('created').notNullable();
      column.instant('settled').nullable();
      table.index(['settled', 'created']);
      table.unique(['consumer_group', 'topic', 'partition_number', 'position'], { indexName: 'dead_letters_message' });
    }),
  ],
};
