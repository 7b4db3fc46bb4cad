import { z } from 'zod';
import { defineJob } from '../../kernel/jobs/job.ts';

const count = z.int().min(0);
const batch = (standard: number) => z.int().min(1).max(1_000).default(standard).describe('Licences per transaction.');
const failed = count.describe('Number of plans that failed; see the log.');

/** Scheduled jobs: one at a time, repeated after failures; what was done is not done again. */
const scheduled = {
  keyOf: () => 'all',
  retry: { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3 * 3_600,
};

export const retire = defineJob({
  name: 'licenses.retire',
  summary: 'Remove who held licences: of plans that expired, or that were revoked or never activated, long ago.',
  payload: z.object({ batch: batch(1_000) }),
  result: z.object({
    revoked: count.describe('Licences of expired plans that were revoked.'),
    cleared: count.describe('Revoked licences whose holder was removed.'),
    released: count.describe('Licences that were never activated and are free again.'),
    failed,
  }),
  ...scheduled,
});
