import type { JobWithMetadata, PgBoss } from 'pg-boss';
import { DEAD_LETTERS, type QueuedJob } from './queues.ts';

type DeadJob = Pick<JobWithMetadata<QueuedJob>, 'id' | 'sourceName' | 'sourceId' | 'sourceCreatedOn' | 'singletonKey'>;

const age = ({ sourceCreatedOn }: DeadJob): number => sourceCreatedOn?.getTime() ?? 0;

/**
 * Splits dead letters into rounds with at most one job per key, in the original order of each key. The queue gives
 * all jobs of one round the same time and new ids, so order is only kept between rounds.
 */
export function rounds(deadLetters: readonly DeadJob[]): DeadJob[][] {
  const oldestFirst = deadLetters.toSorted(
    (a, b) => age(a) - age(b) || ((a.sourceId ?? '') < (b.sourceId ?? '') ? -1 : 1),
  );
  const found: DeadJob[][] = [];
  for (const ofOneKey of Map.groupBy(oldestFirst, keyOf).values()) {
    for (const [round, letter] of ofOneKey.entries()) {
      found[round] ??= [];
      found[round].push(letter);
    }
  }
  return found;
}

const keyOf = ({ id, sourceName, singletonKey }: DeadJob): string =>
  singletonKey ? `${sourceName} ${singletonKey}` : id;

/** Dead letters of one job name, or of all, oldest first. */
export async function deadJobs(boss: PgBoss, name: string | undefined, limit: number): Promise<DeadJob[]> {
  const waiting = await boss.findJobs<QueuedJob>(DEAD_LETTERS, { queued: true });
  return rounds(waiting.filter(({ sourceName }) => sourceName && (name === undefined || sourceName === name)))
    .flat()
    .slice(0, limit);
}

/** Moves dead letters back to their queues, in order per key. Returns their number. */
export async function redrive(boss: PgBoss, deadLetters: readonly DeadJob[]): Promise<number> {
  let sent = 0;
  for (const round of rounds(deadLetters)) {
    sent += await boss.redrive(DEAD_LETTERS, { ids: round.map(({ id }) => id), limit: round.length });
  }
  return sent;
}
