import { z } from 'zod';
import { defineJob, implementJob } from '../kernel/jobs/job.ts';
import { countBefore, deleteBefore } from './store.ts';

const DAY_MS = 86_400_000;

const contract = defineJob({
  name: 'redemptions.expireDecisions',
  summary: 'Delete decisions about redemptions and allocations that are older than DECISION_DAYS.',
  payload: z.object({
    batch: z.int().min(1).max(10_000).default(1_000).describe('Rows of one statement.'),
  }),
  result: z.object({ decisions: z.int().min(0).describe('Decisions that were deleted.') }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

export const expireDecisions = implementJob(contract, async ({ runtime, dryRun, signal }, { batch }) => {
  const { db, clock, settings } = runtime;
  const before = new Date(clock().getTime() - settings.decisionDays * DAY_MS);
  if (dryRun) return { decisions: await countBefore(db, before) };
  for (let decisions = 0; ; ) {
    signal.throwIfAborted();
    const deleted = await deleteBefore(db, before, batch);
    decisions += deleted;
    if (deleted < batch) return { decisions };
  }
});
