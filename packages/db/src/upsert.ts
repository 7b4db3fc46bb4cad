import { type Connection, dialectOf, type Transaction } from './knex.ts';

type Row = Readonly<Record<string, unknown>>;

/** Inserts a row unless a unique key exists; returns whether it did. */
export const insertIfAbsent = async (db: Connection, table: string, row: Row): Promise<boolean> =>
  (await insertAbsent(db, table, [row])) === 1;

/** Inserts the rows whose unique keys do not exist; returns their number. */
export async function insertAbsent(db: Connection, table: string, rows: readonly Row[]): Promise<number> {
  if (rows.length === 0) return 0;
  const { sql, bindings } = db(table).insert(rows).onConflict().ignore().toSQL();
  const result: unknown = await db.raw(sql, bindings as never);
  // The drivers report the number of written rows differently.
  if (dialectOf(db) === 'mysql') return (result as [{ affectedRows: number }])[0].affectedRows;
  return (result as { rowCount: number | null }).rowCount ?? 0;
}

/**
 * Adds to counters in one statement; missing counters start from zero. Rows are written in the given order, so sort
 * them to avoid deadlocks.
 */
export async function addToCounters(
  trx: Transaction,
  table: string,
  options: { readonly key: readonly string[]; readonly counter: string },
  rows: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  if (rows.length === 0) return;
  const { key, counter } = options;
  const added = trx.raw(dialectOf(trx) === 'mysql' ? 'values(??)' : 'excluded.??', [counter]);
  await trx(table)
    .insert(rows)
    .onConflict([...key])
    .merge({ [counter]: trx.raw('??.?? + ?', [table, counter, added]) });
}
