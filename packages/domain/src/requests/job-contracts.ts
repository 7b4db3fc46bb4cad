import { z } from 'zod';
import { defineJob } from '../kernel/jobs/job.ts';

const requestUuid = z.guid();
/** The time of the change that a mail is about; part of the mail's key, so that each change is mailed once. */
const occasion = z.iso.datetime().describe('Time of the change that the mail is about.');
const result = z.object({
  outcome: z
    .enum(['sent', 'repeated', 'refused', 'over'])
    .describe('Over: the mail is no longer due. Refused: the mail service rejected the address.'),
});

const mailJob = (name: string, summary: string) =>
  defineJob({
    name: `requests.${name}`,
    summary,
    payload: z.object({ requestUuid, occasion }),
    result,
    retry: { limit: 8, delaySeconds: 60, maximumDelaySeconds: 600 },
    timeoutSeconds: 300,
  });

export const tellAdmins = mailJob('tellAdmins', 'Tell administrators of a new request.');
export const tellApproved = mailJob('tellApproved', 'Tell a learner that a request was approved.');
export const tellDeclined = mailJob('tellDeclined', 'Tell a learner that a request was declined.');
export const tellCancelled = mailJob('tellCancelled', 'Tell a learner that a request was cancelled.');
export const tellExpired = mailJob('tellExpired', 'Tell a learner that an approved request has expired.');
export const remindLearner = mailJob('remind', 'Remind a learner of an approved request.');

export const completeCourse = defineJob({
  name: 'requests.completeCourse',
  summary: 'Store the title of the course of a request.',
  payload: z.object({ requestUuid }),
  result: z.object({ found: z.boolean() }),
  retry: { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

export const unlinkLearners = defineJob({
  name: 'requests.unlinkLearners',
  summary: 'Unlink learners whose requests were declined from the customer.',
  payload: z.object({ enterpriseCustomerUuid: z.guid(), requestUuids: z.array(requestUuid).min(1).max(1_000) }),
  result: z.object({ unlinked: z.int().min(0) }),
  retry: { limit: 5, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

export const followUsers = defineJob({
  name: 'requests.followUsers',
  summary: 'Update the addresses of requests whose users have another one, or none any more.',
  payload: z.object({ batch: z.int().min(1).max(1_000).default(100).describe('Users per round.') }),
  result: z.object({ users: z.int().min(0) }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});
