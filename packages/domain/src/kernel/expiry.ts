import type { Connection, TableModel } from '@enterprise-access/db';

/** How rows of a table are deleted that nobody asks for any more. */
export interface Expiry {
  count(db: Connection, before: Date): Promise<number>;
  /** Deletes at most so many rows with one statement; until there are no more, or the signal says stop. */
  expire(db: Connection, before: Date, batch: number, signal: AbortSignal): Promise<number>;
}

/** `column` is the instant that counts, by its name in the table; a row without one is not finished and stays. */
export function expiryOf<R extends object>({ table, key }: TableModel<R>, column: string): Expiry {
  const expired = (db: Connection, before: Date) => db(table).where(column, '<', before);
  return {
    count: async (db, before) => Number((await expired(db, before).count({ n: '*' }).first())?.n ?? 0),
    async expire(db, before, batch, signal) {
      let deleted = 0;
      for (;;) {
        signal.throwIfAborted();
        // Keys are read first: deletes with a limit exist on one dialect only.
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
