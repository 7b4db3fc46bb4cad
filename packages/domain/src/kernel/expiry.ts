import type { Connection, TableModel } from '@enterprise-access/db';

/** Deletes expired rows of a table. */
export interface Expiry {
  count(db: Connection, before: Date): Promise<number>;
  /** Deletes expired rows in batches until there are none left or the signal is aborted. */
  expire(db: Connection, before: Date, batch: number, signal: AbortSignal): Promise<number>;
}

/** `column` has the time from which the retention counts; rows with null are unfinished and kept. */
export function expiryOf<R extends object>({ table, key }: TableModel<R>, column: string): Expiry {
  const expired = (db: Connection, before: Date) => db(table).where(column, '<', before);
  return {
    count: async (db, before) => Number((await expired(db, before).count({ n: '*' }).first())?.n ?? 0),
    async expire(db, before, batch, signal) {
      let deleted = 0;
      for (;;) {
        signal.throwIfAborted();
        // Read the keys first: PostgreSQL has no `delete … limit`.
        const keys: Record<string, unknown>[] = await expired(db, before)
          .limit(batch)
          .select([...key]);
        if (keys.length === 0) return deleted;
        deleted += await expired(db, before)
          .whereIn(
            [...key],
            keys.map((row) => key.map((name) => row[name]) as never),
          )
          .delete();
      }
    },
  };
}
