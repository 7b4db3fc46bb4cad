import { z } from 'zod';
import { defineJob } from '../../kernel/jobs/job.ts';

const count = z.int().min(0);
const bulk = { bulkEnrollmentUuid: z.guid(), enterpriseCustomerUuid: z.guid() };

export const enrollInBulk = defineJob({
  name: 'licenses.enrollInBulk',
  summary: 'Enroll learners in course runs with their licences; continues after an interruption.',
  payload: z.object(bulk),
  result: z.object({
    enrolled: count,
    pending: count.describe('Pairs that wait for an account or for the activation of the licence.'),
    failed: count.describe('Pairs that the LMS did not enroll.'),
    missingSubscription: count.describe('Pairs without a licence that opens the course run.'),
    invalidAddress: count,
  }),
  retry: { limit: 8, delaySeconds: 30, maximumDelaySeconds: 600 },
  timeoutSeconds: 4 * 3_600,
  reportsProgress: true,
});

export const mailBulkResult = defineJob({
  name: 'licenses.mailBulkResult',
  summary: 'Tell the administrator who asked for a bulk enrollment that its result is there.',
  payload: z.object(bulk),
  result: z.object({
    outcome: z
      .enum(['sent', 'repeated', 'refused', 'over'])
      .describe('Over: the requester is not among the administrators of the customer.'),
  }),
  // It takes the mail service up to a minute to report whether an unanswered call has sent the mail.
  retry: { limit: 8, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

export const expireBulkEnrollments = defineJob({
  name: 'licenses.expireBulkEnrollments',
  summary: 'Delete bulk enrollments with their addresses and result files some time after their creation.',
  payload: z.object({
    days: z.int().min(1).max(3_650).default(30).describe('Days to keep them.'),
    batch: z.int().min(1).max(10_000).default(1_000).describe('Rows per statement.'),
  }),
  result: z.object({ bulkEnrollments: count }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});
