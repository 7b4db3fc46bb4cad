import { setTimeout as sleep } from 'node:timers/promises';
import { isRetryable } from './failures.ts';
import type { Database } from './knex.ts';

const SLOTS = 64;
const ANSWER_MS = 2_000;
/** An answer holds this long, so that probes of several kinds cost one write. */
const FRESH_MS = 1_000;

/** Whether the database does its work: reads our tables and takes writes. */
export type DatabaseProbe = () => Promise<boolean>;

/**
 * Only a write that is committed proves it: a node without quorum answers `select 1`, a replica reads, and a primary
 * whose synchronous replica is gone waits at every COMMIT. While one write waits, no other is begun.
 */
export function databaseProbe(db: Database): DatabaseProbe {
  const slot = Math.floor(Math.random() * SLOTS);
  let latest: { readonly answer: Promise<boolean>; isOver: boolean; readonly at: number } | null = null;

  async function write(): Promise<boolean> {
    try {
      await db('write_probes').insert({ slot, written: new Date() }).onConflict('slot').merge();
      return true;
    } catch (error) {
      // Another process wrote the same slot at the same moment: so writes are taken.
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
    // A pool may let callers wait for a connection far longer than those who ask for readiness do.
    return Promise.race([latest.answer, sleep(ANSWER_MS, false, { ref: false })]);
  };
}
