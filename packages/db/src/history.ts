import type { Knex } from 'knex';
import { v7 } from 'uuid';
import { type columns, createTable, type Schema } from './columns.ts';
import type { Transaction } from './knex.ts';

/** Who changed a row and why; stored beside the row's new content. */
export interface Change {
  /** `+` created, `~` changed, `-` deleted. */
  readonly type: '+' | '~' | '-';
  /** Local user id of the actor; null for the system itself. */
  readonly actorUserId: number | null;
  readonly reason: string | null;
}

/** Columns of every history table; the row itself is one JSON snapshot, so that history needs no migration of its own. */
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

/** Records a change in the transaction that makes it. */
export async function appendHistory(
  trx: Transaction,
  entity: string,
  row: { readonly uuid: string },
  change: Change & { readonly at: Date },
): Promise<void> {
  await appendHistories(trx, entity, [{ row, change }]);
}

/** The same for many changes in one statement. */
export async function appendHistories(
  trx: Transaction,
  entity: string,
  changes: readonly { readonly row: { readonly uuid: string }; readonly change: Change & { readonly at: Date } }[],
): Promise<void> {
  if (changes.length === 0) return;
  await trx(`${entity}_history`).insert(
    changes.map(({ row, change }) => ({
      history_uuid: v7(),
      entity_uuid: row.uuid,
      history_date: change.at,
      history_type: change.type,
      actor_user_id: change.actorUserId,
      reason: change.reason,
      snapshot: JSON.stringify(row),
    })),
  );
}
