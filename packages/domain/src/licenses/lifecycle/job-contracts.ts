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

const mailed = {
  sent: count.describe('In a dry run: mails that are due.'),
  repeated: count.describe('Learners who had this mail before.'),
  refused: count.describe('Addresses that the mail service rejected.'),
  unsent: count.describe('Due mails without a campaign.'),
};
const days = (standard: number) => z.int().min(1).max(365).default(standard);
const recipients = z.int().min(1).max(50).default(50).describe('Recipients in one call of the mail service.');

export const remindOfExpiration = defineJob({
  name: 'licenses.remindOfExpiration',
  summary: 'Tell learners that their plan expires soon, once for each expiration.',
  payload: z.object({ daysBefore: days(30).describe('Days before the expiration.'), batch: recipients }),
  result: z.object(mailed),
  ...scheduled,
});

export const tellOfExpiration = defineJob({
  name: 'licenses.tellOfExpiration',
  summary: 'Tell learners that their plan has expired, once for each expiration.',
  payload: z.object({ daysSince: days(7).describe('Days since the expiration.'), batch: recipients }),
  result: z.object(mailed),
  ...scheduled,
});

export const tellUtilization = defineJob({
  name: 'licenses.tellUtilization',
  summary: 'Tell administrators how much of a plan is in use, once, a week after licences are applied automatically.',
  payload: z.object({}),
  result: z.object({ told: count.describe('Plans of which administrators were told.'), unsent: mailed.unsent, failed }),
  ...scheduled,
});

export const tellAllocation = defineJob({
  name: 'licenses.tellAllocation',
  summary: 'Tell administrators that few or no licences of a plan are left, once for each; after one was applied.',
  payload: z.object({ planUuid: z.guid(), enterpriseCustomerUuid: z.guid() }),
  result: z.object({ outcome: z.enum(['sent', 'over', 'unsent']) }),
  keyOf: ({ planUuid }) => planUuid,
  retry: { limit: 8, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 300,
});

export const scale = defineJob({
  name: 'licenses.scale',
  summary: 'Add licences to the current plans of agreements that grow by themselves.',
  payload: z.object({}),
  result: z.object({
    plans: count.describe('Plans that grew.'),
    added: count.describe('Licences that were added.'),
    misconfigured: count.describe('Agreements that do not say how much.'),
    failed: count.describe('Number of agreements that failed; see the log.'),
  }),
  ...scheduled,
});

export const transfer = defineJob({
  name: 'licenses.transfer',
  summary: 'Move licences with their holders to another plan of the same agreement.',
  payload: z.object({
    oldPlanUuid: z.guid().describe('Plan that the licences leave.'),
    newPlanUuid: z.guid().describe('Plan that they go to.'),
    transferAll: z.boolean().default(false).describe('All licences of the plan, whatever their status.'),
    licenseUuids: z
      .string()
      .max(4_000_000)
      .default('')
      .describe('Else these, separated by commas, blanks, lines or bars; only assigned and activated ones are moved.'),
    batch: batch(500),
  }),
  result: z.object({
    outcome: z.enum(['moved', 'refused']),
    reason: z.enum(['unknown_plan', 'same_plan', 'other_agreement', 'nothing_named', 'duplicates']).nullable(),
    moved: count.describe('Licences that were moved; in a dry run: that would be.'),
    duplicates: count.describe('Holders who have a licence in the other plan; then none is moved.'),
  }),
  keyOf: ({ oldPlanUuid }) => oldPlanUuid,
  retry: { limit: 5, delaySeconds: 10, maximumDelaySeconds: 300 },
  timeoutSeconds: 3_600,
  reportsProgress: true,
});

export const validateCatalogQueries = defineJob({
  name: 'licenses.validateCatalogQueries',
  summary: 'Fail if the catalogs of plans have more different queries than there are kinds of plans.',
  payload: z.object({
    catalogIdReportingThreshold: z
      .int()
      .min(0)
      .max(100_000)
      .default(50)
      .describe('Queries with fewer catalogs are logged.'),
  }),
  result: z.object({ catalogs: count, queries: count, planTypes: count }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 600,
});

const atMost = (most: number, standard: number, what: string) =>
  z.int().min(1).max(most).default(standard).describe(what);

export const seedDemoData = defineJob({
  name: 'licenses.seedDemoData',
  summary: 'Give a customer of the LMS an agreement, the standard products and a plan for a year; in development only.',
  payload: z.object({
    enterpriseCustomerSlug: z.string().min(1).max(128).describe('Short name of the customer.'),
    numLicenses: atMost(100_000, 10, 'Licences of the plan.'),
  }),
  result: z.object({ planUuid: z.string().nullable().describe('The plan; null in a dry run.') }),
  retry: { limit: 0, delaySeconds: 1, maximumDelaySeconds: 1 },
  timeoutSeconds: 600,
});

export const manufactureData = defineJob({
  name: 'licenses.manufactureData',
  summary: 'Make up customers with agreements, plans and licences in every state; in development only.',
  payload: z.object({
    agreements: atMost(100, 1, 'Customers with an agreement.'),
    plans: atMost(20, 2, 'Plans of each.'),
    licenses: atMost(100_000, 100, 'Licences of each plan.'),
  }),
  result: z.object({ agreements: count, plans: count, licenses: count }),
  retry: { limit: 0, delaySeconds: 1, maximumDelaySeconds: 1 },
  timeoutSeconds: 3_600,
});
