import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionLost } from './failures.ts';
import type { Database } from './knex.ts';

const PAUSE_MS = 250;

/** The name of a server that is being moved may not be known for a while. */
const UNKNOWN_NAME = new Set(['ENOTFOUND', 'EAI_AGAIN']);

/** Whether a later attempt may succeed: the server is not there, starting, or ended the connection. */
function isNotThereYet(error: unknown): boolean {
  if (isConnectionLost(error)) return true;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  // node-postgres has no code for a server that hangs up.
  return UNKNOWN_NAME.has(code) || /^Connection (?:terminated|ended) unexpectedly/.test(error.message);
}

export interface WaitOptions {
  readonly patienceMs: number;
  /** Called once, when the first attempt has failed. */
  readonly onWait?: (error: unknown) => void;
}

/** Waits, with a bound, until the database answers: it may be starting, or recovering from a crash. */
export async function waitForDatabase(db: Database, { patienceMs, onWait }: WaitOptions): Promise<void> {
  const deadline = Date.now() + patienceMs;
  for (let isFirst = true; ; isFirst = false) {
    try {
      await db.raw('select 1');
      return;
    } catch (error) {
      if (!isNotThereYet(error) || Date.now() >= deadline) throw error;
      if (isFirst) onWait?.(error);
      await sleep(PAUSE_MS);
    }
  }
}
