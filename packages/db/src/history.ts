import type { Knex } from 'knex';
import { v7 } from 'uuid';
import { type columns, createTable, type Schema } from './columns.ts';
import type { Transaction } from './knex.ts';
import type { TableModel } from './model.ts';

/** Who changed a row and why; stored beside the row's new content. */
export interface Change {
  /** `+` created, `~` changed, `-` deleted. */
  readonly type: '+' | '~' | '-';
  /** Local user id of the actor; null for the system itself. */
  readonly actorUserId: number | null;
  readonly reason: string | null;
}

/**
 * Columns of every history table; the row itself is one JSON snapshot, so that history needs no migration of its own.
 * Tables of the first releases got the customer later, by 0009-tenant.
 */
export const createHistoryTable = (schema: Schema, entity: string, { withCustomer = true } = {}) =>
  createTable(schema, `${entity}_history`, (table: Knex.CreateTableBuilder, column: ReturnType<typeof columns>) => {
    column.uuid('history_uuid').primary();
    column.uuid('entity_uuid').notNullable();
    if (withCustomer) column.uuid('enterprise_customer_uuid').notNullable();
    column.instant('history_date').notNullable();
    column.code('history_type', 1).notNullable();
    table.bigInteger('actor_user_id').nullable();
    column.text('reason', 100).nullable();
    column.json('snapshot').notNullable();
    table.index(['entity_uuid', 'history_date'], `${entity}_history_entity`);
  });

/** A row with history, as its slice sees it. */
interface Remembered {
  readonly uuid: string;
  readonly enterpriseCustomerUuid: string;
}

/** Records a change in the transaction that makes it. */
export async function appendHistory(
  trx: Transaction,
  model: TableModel,
  row: Remembered,
  change: Change & { readonly at: Date },
): Promise<void> {
  await appendHistories(trx, model, [{ row, change }]);
}

/** The same for many changes in one statement. */
export async function appendHistories(
  trx: Transaction,
  model: TableModel,
  changes: readonly { readonly row: Remembered; readonly change: Change & { readonly at: Date } }[],
): Promise<void> {
  const { history } = model;
  if (!history) throw new Error(`${model.table} has no history.`);
  if (changes.length === 0) return;
  await trx(history.table).insert(
    changes.map(({ row, change }) =>
      history.encode({
        historyUuid: v7(),
        entityUuid: row.uuid,
        enterpriseCustomerUuid: row.enterpriseCustomerUuid,
        historyDate: change.at,
        historyType: change.type,
        actorUserId: change.actorUserId,
        reason: change.reason,
        snapshot: model.snapshot(row),
      }),
    ),
  );
}
