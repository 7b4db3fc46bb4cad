import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionLost } from './failures.ts';
import type { Database } from './knex.ts';

const PAUSE_MS = 250;

/** DNS errors; the name of a server that is moving can be unknown for a while. */
const UNKNOWN_NAME = new Set(['ENOTFOUND', 'EAI_AGAIN']);

/** Whether a retry can succeed: the server is unreachable, starting, or closed the connection. */
function isNotThereYet(error: unknown): boolean {
  if (isConnectionLost(error)) return true;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? String(error.code) : '';
  // node-postgres has no code for a connection that the server closed.
  return UNKNOWN_NAME.has(code) || /^Connection (?:terminated|ended) unexpectedly/.test(error.message);
}

export interface WaitOptions {
  readonly patienceMs: number;
  /** Called once, after the first failed attempt. */
  readonly onWait?: (error: unknown) => void;
}

/** Waits for a limited time until the database answers, because it can be starting or recovering. */
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
