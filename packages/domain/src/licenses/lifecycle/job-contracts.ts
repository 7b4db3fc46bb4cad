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

export const expirePlans = defineJob({
  name: 'licenses.expirePlans',
  summary: 'Have the LMS end the enrollments of plans that have expired and were not renewed.',
  payload: z.object({
    expiredAfter: z.iso.datetime({ offset: true }).optional().describe('Only plans that expired then or later.'),
    expiredBefore: z.iso
      .datetime({ offset: true })
      .optional()
      .describe('Only plans that expired then or earlier; default now.'),
    subscriptionUuids: z
      .string()
      .max(40_000)
      .optional()
      .describe('Only these plans, separated by commas, also if they were done before.'),
    force: z.boolean().default(false).describe('Also plans that were done before.'),
    batch: batch(1_000),
  }),
  result: z.object({
    plans: count.describe('Plans that are done.'),
    licenses: count.describe('Licences whose enrollments were ended.'),
    failed,
  }),
  ...scheduled,
});

export const announceExpiration = defineJob({
  name: 'licenses.announceExpiration',
  summary: 'Publish that the licences of a plan have expired.',
  payload: z.object({ planUuid: z.guid(), enterpriseCustomerUuid: z.guid() }),
  result: z.object({ events: count }),
  keyOf: ({ planUuid }) => planUuid,
  retry: { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

export const unlinkExpired = defineJob({
  name: 'licenses.unlinkExpired',
  summary: 'Unlink learners from the customers of the setting, 90 days after their plan has expired.',
  payload: z.object({ batch: z.int().min(1).max(100).default(100).describe('Learners in one call of the LMS.') }),
  result: z.object({ unlinked: count, failed }),
  ...scheduled,
});

export const announceHalfYear = defineJob({
  name: 'licenses.announceHalfYear',
  summary: 'Publish for the customers of the setting which licences were activated 180 days ago.',
  payload: z.object({ batch: batch(500) }),
  result: z.object({ announced: count, failed }),
  ...scheduled,
});
