import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, isConnectionLost } from '@enterprise-access/db';

const CHECK_MS = 2_000;
const PAUSE_MS = 250;

/** Whether a database answers a query within two seconds. */
export async function answers(ask: () => Promise<unknown>): Promise<boolean> {
  const answer = ask().then(
    () => true,
    () => false,
  );
  return Promise.race([answer, sleep(CHECK_MS, false, { ref: false })]);
}

/**
 * Distinguishes failures of a job from outages of the business database, which are temporary and not the job's fault.
 */
export interface OutageWatch {
  /** Whether `error` was caused by an outage, or happened during one. */
  explains(error: unknown): Promise<boolean>;
  /** Resolves when the database answers again; rejects if the signal is aborted first. */
  over(signal: AbortSignal): Promise<void>;
}

export function watchOutages(db: Database): OutageWatch {
  const isThere = () => answers(async () => db.raw('select 1'));
  return {
    explains: async (error) => isConnectionLost(error) || !(await isThere()),
    async over(signal) {
      while (!(await isThere())) await sleep(PAUSE_MS, undefined, { signal });
      signal.throwIfAborted();
    },
  };
}
