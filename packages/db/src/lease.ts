import { v7 } from 'uuid';
import type { Connection, Database, Transaction } from './knex.ts';
import { transaction } from './transaction.ts';

/** How long others wait after the owner has died. */
const LEASE_SECONDS = 10;
const RENEW_MS = 3_000;

export interface Lease {
  /** Aborted when the lease is found lost. */
  readonly signal: AbortSignal;
  /**
   * Writes what was done and gives the row back, in one transaction; false, and nothing is written, when somebody else
   * has the row meanwhile.
   */
  finish(write: (trx: Transaction) => Promise<unknown>): Promise<boolean>;
}

type Key = Readonly<Record<string, string | number>>;

/** The database's clock, so that the clocks of processes do not matter. Both dialects know this form. */
const inSeconds = (db: Connection, seconds: number) => db.raw(`current_timestamp(6) + interval '${seconds}' second`);

/**
 * Does work that one process at a time may do, and answers null when another process has the row of that work. A row
 * lock would be known to one node of a cluster only, so the row is written: its columns `lease_owner` and `lease_ends`
 * say who has it, and a conditional update takes it. An owner that dies keeps the row until the lease ends.
 */
export async function underLease<T>(
  db: Database,
  table: string,
  key: Key,
  work: (lease: Lease) => Promise<T>,
): Promise<T | null> {
  const owner = v7();
  const own = { ...key, lease_owner: owner };
  const taken = await transaction(db, (trx) =>
    trx(table)
      .where({ ...key })
      .where((free) => free.whereNull('lease_owner').orWhereRaw('lease_ends < current_timestamp(6)'))
      .update({ lease_owner: owner, lease_ends: inSeconds(trx, LEASE_SECONDS) }),
  );
  if (taken === 0) return null;
  const lost = new AbortController();
  let isReleased = false;
  const renewal = setInterval(async () => {
    try {
      const kept = await db(table)
        .where(own)
        .update({ lease_ends: inSeconds(db, LEASE_SECONDS) });
      if (kept === 0 && !isReleased) lost.abort();
    } catch {
      // The next renewal may succeed; `finish` has the last word.
    }
  }, RENEW_MS);
  const release = (trx: Connection) => trx(table).where(own).update({ lease_owner: null, lease_ends: null });
  try {
    return await work({
      signal: lost.signal,
      finish: (write) =>
        transaction(db, async (trx) => {
          if ((await release(trx)) === 0) return false;
          await write(trx);
          return true;
        }).then((kept) => {
          isReleased = true;
          return kept;
        }),
    });
  } finally {
    clearInterval(renewal);
    // After a failure others go on at once; when this fails too, the lease ends by itself.
    if (!isReleased) await release(db).catch(() => undefined);
  }
}
