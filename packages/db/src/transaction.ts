import { setTimeout as sleep } from 'node:timers/promises';
import { completeRecords } from './audit.ts';
import { isRetryable } from './failures.ts';
import type { Database, Transaction } from './knex.ts';

/** No new attempt begins after this long, in milliseconds. On a hot row of a cluster many attempts can be needed. */
const DEADLINE_MS = 10_000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 320;

export interface TransactionOptions {
  readonly deadlineMs?: number;
  /** Milliseconds on a clock that only goes forward. */
  readonly now?: () => number;
}

/**
 * Runs `work` in one transaction and repeats it when the database undid it: as a deadlock victim, after a wait for a
 * lock, or because another node of a cluster committed first. So `work` has no effect outside the transaction: no
 * network, no shared state.
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
