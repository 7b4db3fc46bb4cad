import { setTimeout as sleep } from 'node:timers/promises';
import { completeRecords } from './audit.ts';
import { isRetryable } from './failures.ts';
import type { Database, Transaction } from './knex.ts';

/** No new attempt starts after this time, in milliseconds. A hot row on a cluster can need many attempts. */
const DEADLINE_MS = 10_000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 320;

export interface TransactionOptions {
  readonly deadlineMs?: number;
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number;
}

/**
 * Runs `work` in a transaction and retries it if the database rolled it back: as a deadlock victim, after a lock wait
 * timeout, or because another node of a cluster committed first. So `work` must have no effects outside the
 * transaction: no network, no shared state.
 */
export async function transaction<T>(
  db: Database,
  work: (trx: Transaction) => Promise<T>,
  { deadlineMs = DEADLINE_MS, now = () => performance.now() }: TransactionOptions = {},
): Promise<T> {
  const deadline = now() + deadlineMs;
  for (let longest = FIRST_PAUSE_MS; ; longest = Math.min(longest * 2, LONGEST_PAUSE_MS)) {
    try {
      return await recorded(db, work);
    } catch (error) {
      if (!isRetryable(error) || now() >= deadline) throw error;
      await sleep(Math.random() * longest);
    }
  }
}

/** One attempt, with the records of what it changes: both are committed, or neither. */
async function recorded<T>(db: Database, work: (trx: Transaction) => Promise<T>): Promise<T> {
  const { result, markStored } = await db.transaction(async (trx) => ({
    result: await work(trx),
    markStored: await completeRecords(trx),
  }));
  markStored();
  return result;
}
