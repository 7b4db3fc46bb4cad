import type { EventBus } from '@enterprise-access/bus';
import { type Consumer, defineJob, implementJob, type Job, type Runtime } from '@enterprise-access/domain';
import type { PgBoss } from 'pg-boss';
import { z } from 'zod';
import * as deadLetters from './dead-letter-store.ts';
import { handle } from './event-consumer.ts';
import { deadJobs, redrive } from './redrive.ts';
import { clearBlockedKeys } from './workers.ts';

const retryContract = defineJob({
  name: 'dead-letters.retry',
  summary: 'Retry dead letters: jobs that failed finally, and events that could not be processed.',
  payload: z.object({
    job: z.string().max(120).optional().describe('Only jobs of this name, and no events.'),
    limit: z.int().min(1).max(10_000).default(1_000).describe('Maximum number of each.'),
  }),
  result: z.object({
    jobs: z.int().min(0).describe('Jobs that were retried, or would be.'),
    events: z.int().min(0).describe('Events that were processed, or would be retried.'),
    open: z.int().min(0).describe('Events that failed again.'),
  }),
  keyOf: () => 'all',
  retry: { limit: 1, delaySeconds: 10, maximumDelaySeconds: 10 },
  timeoutSeconds: 600,
});

const clearContract = defineJob({
  name: 'dead-letters.clear-keys',
  summary: 'Unblock jobs that wait behind a finally failed job of the same key.',
  payload: z.object({}),
  result: z.object({ cleared: z.int().min(0).describe('Number of unblocked keys.') }),
  // No key: the job could not unblock its own key.
  retry: { limit: 1, delaySeconds: 10, maximumDelaySeconds: 10 },
  timeoutSeconds: 60,
});

/** Queues and bus that these jobs use; opened by the process that runs them. */
export interface Transport {
  readonly boss: PgBoss;
  readonly bus: EventBus;
}

/** Jobs that manage queues and bus. They take them as a parameter, because they are not part of the runtime. */
export function deadLetterJobs(
  transport: () => Transport,
  others: readonly Job[],
  consumers: readonly Consumer[],
): Job[] {
  return [
    implementJob(retryContract, async ({ runtime, dryRun }, { job, limit }) => {
      const { boss, bus } = transport();
      const isAll = job === undefined;
      const dead = await deadJobs(boss, job, limit);
      if (dryRun) {
        const open = isAll ? await deadLetters.countOpen(runtime.db) : 0;
        return { jobs: dead.length, events: Math.min(limit, open), open };
      }
      const jobs = await redrive(boss, dead);
      const events = isAll ? await retryEvents(runtime, bus, consumers, limit) : 0;
      return { jobs, events, open: isAll ? await deadLetters.countOpen(runtime.db) : 0 };
    }),
    implementJob(clearContract, async ({ dryRun }) => ({
      cleared: await clearBlockedKeys(transport().boss, others, { dryRun }),
    })),
  ];
}

/** Retries each event separately: one that fails again stays and does not block the others. */
async function retryEvents(
  runtime: Runtime,
  bus: EventBus,
  consumers: readonly Consumer[],
  limit: number,
): Promise<number> {
  let settled = 0;
  for (const letter of await deadLetters.open(runtime.db, limit)) {
    try {
      if (letter.direction === 'in') await handle(runtime, consumers, await bus.read(letter.message));
      else if ((await bus.publish([letter.event])).length > 0) continue;
      settled += await deadLetters.markSettled(runtime.db, letter.uuid, runtime.clock());
    } catch (error) {
      runtime.log.warn({ err: error, deadLetter: letter.uuid }, 'a dead letter failed again');
    }
  }
  return settled;
}
