import { z } from 'zod';
import { defineJob } from '../../kernel/jobs/job.ts';

const uuid = z.guid();
const count = z.int().min(0);
/** Licences in one job about mails: as many as the mail service takes in one call. */
export const LEARNERS_PER_JOB = 50;

/** It takes the mail service up to a minute to report whether an unanswered call has sent the mail. */
const mailing = { retry: { limit: 8, delaySeconds: 60, maximumDelaySeconds: 600 }, timeoutSeconds: 300 };

const some = {
  enterpriseCustomerUuid: uuid,
  subscriptionPlanUuid: uuid,
  licenseUuids: z.array(uuid).min(1).max(LEARNERS_PER_JOB),
  occasion: z.iso.datetime().describe('Time of the change that the mail is about; part of its key.'),
  greeting: z.string(),
  closing: z.string(),
};
const mailed = z.object({
  sent: count,
  repeated: count.describe('Learners who had this mail before.'),
  refused: count.describe('Addresses that the mail service rejected.'),
});

export const invite = defineJob({
  name: 'licenses.invite',
  summary: 'Link learners with new licences to the customer, and send them their activation links.',
  payload: z.object({ ...some, notify: z.boolean().describe('Whether they get a mail.') }),
  result: mailed.extend({ linked: count }),
  ...mailing,
});

export const remindLearners = defineJob({
  name: 'licenses.remind',
  summary: 'Remind learners of licences that they have not activated.',
  payload: z.object(some),
  result: mailed,
  ...mailing,
});

const ofLicense = z.object({ enterpriseCustomerUuid: uuid, licenseUuid: uuid });
const outcome = z.object({ outcome: z.enum(['sent', 'repeated', 'refused', 'over']) });

export const welcome = defineJob({
  name: 'licenses.welcome',
  summary: 'Write to a learner who has activated a licence.',
  payload: ofLicense,
  result: outcome,
  ...mailing,
});

export const welcomeApplied = defineJob({
  name: 'licenses.welcomeApplied',
  summary: 'Write to a learner who got a licence automatically.',
  payload: ofLicense,
  result: outcome,
  ...mailing,
});

export const endEnrollments = defineJob({
  name: 'licenses.endEnrollments',
  summary: 'End the enrollments that a learner made with a licence that was revoked.',
  payload: ofLicense,
  result: z.object({ outcome: z.enum(['ended', 'over']) }),
  retry: { limit: 8, delaySeconds: 30, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

export const tellCapReached = defineJob({
  name: 'licenses.tellCapReached',
  summary: 'Tell customer success that a plan has no revocations left.',
  payload: z.object({
    enterpriseCustomerUuid: uuid,
    subscriptionPlanUuid: uuid,
    applied: count.describe('Revocations so far; part of the key of the mail.'),
    occasion: z.iso.datetime(),
  }),
  result: outcome,
  ...mailing,
});

export const revokeAllOfPlan = defineJob({
  name: 'licenses.revokeAll',
  summary: 'Revoke all licences of a plan that were assigned until the request.',
  payload: z.object({
    enterpriseCustomerUuid: uuid,
    subscriptionPlanUuid: uuid,
    until: z.iso.datetime().describe('Licences that were assigned later are left alone.'),
  }),
  result: z.object({ revoked: count, isCapped: z.boolean().describe('A cap was set meanwhile, so it stopped.') }),
  keyOf: ({ subscriptionPlanUuid }) => subscriptionPlanUuid,
  retry: { limit: 10, delaySeconds: 5, maximumDelaySeconds: 300 },
  timeoutSeconds: 3_600,
});
