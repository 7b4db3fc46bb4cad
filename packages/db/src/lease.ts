import { v7 } from 'uuid';
import type { Connection, Database, Transaction } from './knex.ts';
import { transaction } from './transaction.ts';

/** Lifetime of a lease: how long others wait after the owner has crashed. */
const LEASE_SECONDS = 10;
const RENEW_MS = 3_000;

export interface Lease {
  /** Aborted when the lease was lost. */
  readonly signal: AbortSignal;
  /**
   * Writes the result and releases the lease in one transaction. If another process has taken the lease, returns
   * false and writes nothing.
   */
  finish(write: (trx: Transaction) => Promise<unknown>): Promise<boolean>;
  /**
   * Writes something on the way in one transaction and keeps the lease. If another process has taken the lease, throws
   * `LeaseLost` and writes nothing.
   */
  write<T>(write: (trx: Transaction) => Promise<T>): Promise<T>;
}

/** Another process has taken the lease. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

type Key = Readonly<Record<string, string | number>>;

/** The database's clock, so that the clocks of processes do not matter. Both dialects know this form. */
const inSeconds = (db: Connection, seconds: number) => db.raw(`current_timestamp(6) + interval '${seconds}' second`);

/**
 * Runs work under a lease, which one process at a time can hold; returns null if another process holds it. A row lock
 * would be visible on one node of a Galera cluster only, so the lease is stored in the columns `lease_owner` and
 * `lease_ends` and taken by a conditional update. If the owner crashes, the lease stays until it expires.
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
      // The next renewal may succeed; `finish` decides.
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
      write: (write) =>
        transaction(db, async (trx) => {
          // Also locks the row, so that nobody takes the lease before the commit.
          const kept = await trx(table)
            .where(own)
            .update({ lease_ends: inSeconds(trx, LEASE_SECONDS) });
          if (kept === 0) throw new LeaseLost();
          return write(trx);
        }),
    });
  } finally {
    clearInterval(renewal);
    // Release after a failure, so that others can continue immediately; if this fails too, the lease expires.
    if (!isReleased) await release(db).catch(() => undefined);
  }
}
