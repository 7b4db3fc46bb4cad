import type { Database } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import { keepDecisions } from './store.ts';
import type { Decision } from './tables.ts';

type Deps = Pick<Runtime, 'db' | 'log'>;

/** More are not kept waiting: a database that is too slow for them has more important work. */
const MOST_WAITING = 1_000;
/** Rows of one statement. */
const BATCH = 100;

interface Waiting {
  readonly decisions: Decision[];
  /** Null when nothing is being written. */
  writing: Promise<void> | null;
}

const waitingIn = new WeakMap<Database, Waiting>();

function waitingOf(db: Database): Waiting {
  const known = waitingIn.get(db);
  if (known) return known;
  const waiting: Waiting = { decisions: [], writing: null };
  waitingIn.set(db, waiting);
  return waiting;
}

/**
 * Stores decisions behind the reply, those that come meanwhile in one statement. Only for samples that nothing refers to:
 * they are lost when the process dies, the database refuses them or too many wait.
 */
export function keepDecisionsLater(deps: Deps, given: readonly Decision[]): void {
  const waiting = waitingOf(deps.db);
  const room = MOST_WAITING - waiting.decisions.length;
  if (given.length > room) deps.log.warn({ count: given.length - room }, 'decisions were not kept: too many wait');
  waiting.decisions.push(...given.slice(0, room));
  if (waiting.decisions.length > 0) waiting.writing ??= write(deps, waiting);
}

async function write({ db, log }: Deps, waiting: Waiting): Promise<void> {
  while (waiting.decisions.length > 0) {
    const batch = waiting.decisions.splice(0, BATCH);
    await keepDecisions(db, batch).catch((err: unknown) => {
      log.warn({ err, count: batch.length }, 'decisions of questions were not kept');
    });
  }
  // In the same turn as the last look, so that nothing is left waiting.
  waiting.writing = null;
}

/** Waits until everything is stored; before the database is closed. */
export const decisionsStored = async (db: Database): Promise<void> => waitingIn.get(db)?.writing ?? undefined;
