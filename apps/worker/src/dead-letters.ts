import type { Job } from '@enterprise-access/domain';
import { defineJob, implementJob } from '@enterprise-access/domain';
import type { PgBoss } from 'pg-boss';
import { z } from 'zod';
import { DEAD_LETTERS } from './queues.ts';
import { clearBlockedKeys } from './workers.ts';

const retryContract = defineJob({
  name: 'dead-letters.retry',
  summary: 'Send jobs that failed for good back to their queues.',
  payload: z.object({
    job: z.string().max(120).optional().describe('Only those of this name.'),
    limit: z.int().min(1).max(10_000).default(1_000).describe('At most so many.'),
  }),
  result: z.object({ jobs: z.int().min(0).describe('Jobs sent back, or that would be.') }),
  keyOf: () => 'all',
  retry: { limit: 1, delaySeconds: 10, maximumDelaySeconds: 10 },
  timeoutSeconds: 600,
});

const clearContract = defineJob({
  name: 'dead-letters.clear-keys',
  summary: 'Let the jobs go on that wait behind one of their key that failed for good.',
  payload: z.object({}),
  result: z.object({ cleared: z.int().min(0).describe('Places that were freed.') }),
  keyOf: () => 'all',
  retry: { limit: 1, delaySeconds: 10, maximumDelaySeconds: 10 },
  timeoutSeconds: 60,
});

/** Jobs about the queues themselves; they need the queues, so they are made with them. */
export function deadLetterJobs(queues: () => PgBoss, others: readonly Job[]): Job[] {
  return [
    implementJob(retryContract, async ({ dryRun }, { job, limit }) => {
      const filter = job === undefined ? {} : { sourceName: job };
      if (!dryRun) return { jobs: await queues().redrive(DEAD_LETTERS, { ...filter, limit }) };
      const { total } = await queues().previewRedrive(DEAD_LETTERS, filter);
      return { jobs: Math.min(limit, total) };
    }),
    implementJob(clearContract, async ({ dryRun }) => ({
      cleared: dryRun ? 0 : await clearBlockedKeys(queues(), others),
    })),
  ];
}
