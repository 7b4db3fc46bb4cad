import { type Connection, dialectOf } from './knex.ts';

/** Inserts a row unless a unique key already holds one; says whether it did. */
export async function insertIfAbsent(
  db: Connection,
  table: string,
  row: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const { sql, bindings } = db(table).insert(row).onConflict().ignore().toSQL();
  const result: unknown = await db.raw(sql, bindings as never);
  // The drivers report the number of written rows each in its own way.
  if (dialectOf(db) === 'mysql') return (result as [{ affectedRows: number }])[0].affectedRows === 1;
  return (result as { rowCount: number | null }).rowCount === 1;
}
