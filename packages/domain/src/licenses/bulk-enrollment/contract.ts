import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { PLAIN_EMAIL } from '../../kernel/email.ts';
import { defineError } from '../../kernel/errors.ts';
import { uuid } from '../../kernel/ids.ts';
import { openEnum } from '../../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';
import { LONGEST } from '../view-contract.ts';

export const BASE = '/api/v1/bulk-license-enrollment/';
/** Most pairs of learner and course run that a request can name (R-LIC-83). */
export const MOST_PAIRS = 500;
/** How long a download link works, in seconds (R-LIC-88). */
export const LINK_SECONDS = 300;

export const pairOutcomes = ['success', 'pending', 'failed', 'missing_subscription', 'invalid_address'] as const;
export type PairOutcome = (typeof pairOutcomes)[number];

const context = { from: 'customer', field: 'enterpriseCustomerUuid' } as const;
const customer = () => uuid().describe('Customer of the learners.');
const jobUuid = () => uuid().describe('Identifies the bulk enrollment, from the reply to its creation.');

export const tooManyEnrollments = defineError({
  code: 'too_many_enrollments',
  status: 400,
  message: 'Too many provided enrollments, please try a smaller request.',
  details: z.object({ maximum: z.int().describe('Most pairs of learner and course run in one request.') }),
});

export const enroll = defineContract({
  summary: 'Enroll learners in course runs with their licences, in a job that continues after interruptions.',
  kind: 'mutation',
  permission: permissions.has_admin_access,
  context,
  rest: { method: 'POST', path: BASE, status: 201 },
  bodyLimitBytes: 256 * 1024,
  input: z.object({
    enterpriseCustomerUuid: customer(),
    subscriptionUuid: uuid().optional().describe('Only licences of this plan; default all plans of the customer.'),
    enrollAll: z
      .boolean()
      .default(false)
      .describe('Enroll everybody with an assigned or activated licence of the plan, instead of `emails`.'),
    emails: z
      .array(z.email({ pattern: PLAIN_EMAIL }).max(LONGEST.email))
      .min(1)
      .max(MOST_PAIRS)
      .describe('Addresses of the learners; must not be empty even with `enrollAll`.'),
    courseRunKeys: z.array(z.string().min(1).max(255)).min(1).max(MOST_PAIRS).describe('Course runs.'),
    notify: z.boolean().describe('Whether the LMS tells learners of new enrollments by mail.'),
  }),
  output: z.object({
    uuid: z.string().describe('Identifies the bulk enrollment.'),
    jobUuid: z.string().describe('Job that does it; follow it with `jobs.progress`.'),
  }),
  errors: [tooManyEnrollments],
});

export const status = defineContract({
  summary: 'How far a bulk enrollment is, and a link to its result that works for five minutes.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context,
  rest: { method: 'GET', path: BASE },
  input: z.object({ enterpriseCustomerUuid: customer(), bulkEnrollmentJobUuid: jobUuid() }),
  output: z.object({
    uuid: z.string().describe('Identifies the bulk enrollment.'),
    jobUuid: z.string().describe('Job that does it.'),
    isFinished: z.boolean().describe('Whether every pair of learner and course run has an outcome.'),
    counts: z
      .record(z.string(), z.int().min(0))
      .describe('Number of pairs by outcome; `waiting` are those without one.'),
    downloadUrl: z.string().nullable().describe('Link to the result as CSV; null until it is finished.'),
  }),
  errors: [],
});

export const bulkEnrollmentPair = z
  .object({
    email: z.string().describe('Address of the learner. Personal data.'),
    courseRunKey: z.string().describe('Course run.'),
    outcome: openEnum(pairOutcomes)
      .nullable()
      .describe('What became of it; null is not done yet, `pending` waits for an account or for the activation.'),
    licenseUuid: z.string().nullable().describe('Licence that pays.'),
  })
  .meta({ title: 'BulkEnrollmentPair' });

export const outcomes = defineContract({
  summary: 'What became of each pair of learner and course run of a bulk enrollment.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context,
  rest: { method: 'GET', path: `${BASE}{bulkEnrollmentJobUuid}/outcomes/` },
  input: z.object({
    enterpriseCustomerUuid: customer(),
    bulkEnrollmentJobUuid: jobUuid(),
    onlyFailed: z.boolean().optional().describe('Only pairs that were not enrolled.'),
    ...pageInput({ defaultSize: 100, maximumSize: 500 }),
  }),
  output: pageOutput(bulkEnrollmentPair),
  errors: [],
});
