import type { Knex } from 'knex';
import { type columns, createTable, type Schema } from '../src/columns.ts';

/** A history table as earlier releases had them; the audit trail has taken their place. */
export const createHistoryTable = (schema: Schema, entity: string) =>
  createTable(schema, `${entity}_history`, (table: Knex.CreateTableBuilder, column: ReturnType<typeof columns>) => {
    column.uuid('history_uuid').primary();
    column.uuid('entity_uuid').notNullable();
    column.instant('history_date').notNullable();
    column.code('history_type', 1).notNullable();
    table.bigInteger('actor_user_id').nullable();
    column.text('reason', 100).nullable();
    column.json('snapshot').notNullable();
    table.index(['entity_uuid', 'history_date'], `${entity}_history_entity`);
  });
