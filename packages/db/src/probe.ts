import { setTimeout as sleep } from 'node:timers/promises';
import { isRetryable } from './failures.ts';
import type { Database } from './knex.ts';

const SLOTS = 64;
const ANSWER_MS = 2_000;
/** How long a result is reused, so that several probes cost one write. */
const FRESH_MS = 1_000;

/** Whether the database can be read and written. */
export type DatabaseProbe = () => Promise<boolean>;

/**
 * Probes the database with a committed write: a node without quorum answers `select 1`, a replica can be read, and a
 * primary without its synchronous replica hangs at COMMIT. At most one write at a time.
 */
export function databaseProbe(db: Database): DatabaseProbe {
  const slot = Math.floor(Math.random() * SLOTS);
  let latest: { readonly answer: Promise<boolean>; isOver: boolean; readonly at: number } | null = null;

  async function write(): Promise<boolean> {
    try {
      await db('write_probes').insert({ slot, written: new Date() }).onConflict('slot').merge();
      return true;
    } catch (error) {
      // A conflict with another process's write shows that writes work.
      return isRetryable(error);
    }
  }

  return () => {
    if (latest === null || (latest.isOver && performance.now() - latest.at >= FRESH_MS)) {
      const begun = { answer: write(), isOver: false, at: performance.now() };
      const end = () => {
        begun.isOver = true;
      };
      begun.answer.then(end, end);
      latest = begun;
    }
    // The pool can wait for a connection longer than a readiness probe waits for its answer.
    return Promise.race([latest.answer, sleep(ANSWER_MS, false, { ref: false })]);
  };
}
