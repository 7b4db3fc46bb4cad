import { z } from 'zod';
import { defineJob } from '../kernel/jobs/job.ts';

const assignmentUuid = z.guid();
/** The time of the change that a mail is about; part of the mail's key, so that each change is mailed once. */
const occasion = z.iso.datetime().describe('Time of the change that the mail is about.');

const mailResult = z.object({
  outcome: z
    .enum(['sent', 'repeated', 'refused', 'over'])
    .describe('Over: the mail is no longer due. Refused: the mail service rejected the address.'),
});

const mailJob = (name: string, summary: string) =>
  defineJob({
    name: `assignments.${name}`,
    summary,
    payload: z.object({ assignmentUuid, occasion }),
    result: mailResult,
    // It takes the mail service up to a minute to report whether an unanswered call has sent the mail.
    retry: { limit: 8, delaySeconds: 60, maximumDelaySeconds: 600 },
    timeoutSeconds: 300,
  });

export const link = defineJob({
  name: 'assignments.link',
  summary: 'Link the learner of an assignment to the customer, also if the account is created later.',
  payload: z.object({ assignmentUuid }),
  result: z.object({ outcome: z.enum(['linked', 'was_linked', 'over']) }),
  retry: { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

export const notify = mailJob('notify', 'Tell a learner of a new assignment.');
export const remindLearner = mailJob('remind', 'Remind a learner of an assignment.');
export const tellCancelled = mailJob('tellCancelled', 'Tell a learner that an assignment was cancelled.');
export const tellExpired = mailJob('tellExpired', 'Tell a learner that an assignment has expired.');

export const nudgeLearner = defineJob({
  name: 'assignments.nudgeLearner',
  summary: 'Remind a learner that an executive education course starts soon.',
  payload: z.object({ assignmentUuid, startDate: z.iso.date(), days: z.int().min(1).max(3_650) }),
  result: mailResult,
  retry: { limit: 8, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

const count = z.int().min(0);

export const expireDue = defineJob({
  name: 'assignments.expire',
  summary: 'Expire overdue assignments and notify their learners.',
  payload: z.object({ batch: z.int().min(1).max(1_000).default(100).describe('Rows per transaction.') }),
  result: z.object({
    expired: count,
    configurations: count,
    failed: count.describe('Number of configurations that failed; see the log.'),
  }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

export const retireAddresses = defineJob({
  name: 'assignments.retireAddresses',
  summary: 'Remove the addresses of assignments that expired after 90 days, once their learners were notified.',
  payload: z.object({ batch: z.int().min(1).max(1_000).default(100).describe('Rows per transaction.') }),
  result: z.object({ cleared: count }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

export const nudgeDue = defineJob({
  name: 'assignments.nudge',
  summary: 'Remind all learners whose executive education course starts in a number of days.',
  payload: z.object({
    daysBeforeCourseStartDate: z.int().min(1).max(3_650).default(30).describe('Days from today to the start.'),
    batch: z.int().min(1).max(1_000).default(50).describe('Rows per transaction.'),
  }),
  result: z.object({ nudged: count, configurations: count, failed: count }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});
