import { z } from 'zod';
import { decisionUuid } from '../decisions/contract.ts';
import { defineContract } from '../kernel/contract.ts';
import { PLAIN_EMAIL } from '../kernel/email.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { policyLocked } from '../policies/contract.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { reasonObject } from '../policies/reason-contract.ts';
import { assignment } from './contract.ts';

const INT32 = 2_147_483_647;

/** Maximum number of learners per request; use `allocateInBulk` for longer lists. */
export const LARGEST_ALLOCATION = 1_000;

/** The budget does not cover the allocation; nothing was allocated. */
export const notAllocatable = defineError({
  code: 'not_allocatable',
  status: 422,
  message: 'The content cannot be allocated through this policy.',
  details: z.object({ reasons: z.array(reasonObject).describe('Why.'), decisionUuid: decisionUuid() }),
});

/** The allocation is inconsistent with the catalog or the policy; nothing was allocated. */
export const allocationRefused = defineError({
  code: 'allocation_refused',
  status: 422,
  message: 'The allocation was refused.',
  details: z.object({
    reason: openEnum(['PriceValidationError', 'AllocationException', 'ValidationError']).describe(
      'Error code: the exception name of the old services.',
    ),
    userMessage: z.string().describe('Message.'),
    errorMessage: z.string().describe('Message for developers.'),
    policyUuids: z.array(z.string()).describe('The policy.'),
    decisionUuid: decisionUuid(),
  }),
});

/** An e-mail address without surrounding whitespace. */
export const plainAddress = z.email({ pattern: PLAIN_EMAIL }).max(254);
const address = z.string().trim().max(254).pipe(plainAddress);

export const wanted = {
  policyUuid: uuid().describe('Policy to charge.'),
  contentKey: z.string().trim().min(1).max(255).describe('Course or course run.'),
  contentPriceCents: z.int().min(0).max(INT32).describe('US cents per learner; within 5 % of the catalog’s price.'),
  adminLmsUserId: z
    .int()
    .min(1)
    .max(INT32)
    .nullable()
    .optional()
    .describe('Administrator; used only if the caller’s token has no learner id.'),
  suppressEmail: z.boolean().default(false).describe('True sends no mails about new assignments.'),
};

export const policy = { from: 'policy', field: 'policyUuid' } as const;

export const allocate = defineContract({
  summary: 'Allocate a course or run to learners at a fixed price. Learners who hold it already are not charged again.',
  kind: 'mutation',
  permission: policyPermissions.has_allocation_access,
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-allocation/{policyUuid}/allocate/', status: 202 },
  bodyLimitBytes: 512 * 1024,
  input: z.object({
    ...wanted,
    learnerEmails: z
      .array(address)
      .min(1)
      .max(LARGEST_ALLOCATION)
      .describe('E-mail addresses, compared ignoring case. Personal data.')
      .meta({ examples: [['learner-1000@demo.example']] }),
  }),
  output: z.object({
    updated: z.array(assignment).describe('Existing assignments that were changed.'),
    created: z.array(assignment).describe('New assignments.'),
    noChange: z.array(assignment).describe('Learners who already hold the content.'),
  }),
  errors: [notAllocatable, allocationRefused, policyLocked],
});

/** Maximum number of learners of a bulk allocation. */
export const LARGEST_BULK = 50_000;

/** Outcomes of a learner in a bulk allocation. */
export const bulkOutcomes = [
  'waiting',
  'created',
  'updated',
  'no_change',
  'invalid_address',
  'policy_expired',
  'subsidy_expired',
  'not_enough_value_in_subsidy',
  'policy_spend_limit_reached',
] as const;
export type BulkOutcome = Exclude<(typeof bulkOutcomes)[number], 'waiting'>;

/** Validation error: exactly one of list and CSV text is required, with at least one address. */
const EXACTLY_ONE = {
  message: 'Either learner_emails or csv must be given, with at least one address.',
  path: ['learnerEmails'],
};

export const allocateInBulk = defineContract({
  summary:
    'Allocate a course or run to thousands of learners in a background job. The report has the outcome of each learner.',
  kind: 'mutation',
  permission: policyPermissions.has_allocation_access,
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-allocation/{policyUuid}/allocate-in-bulk/', status: 202 },
  // Five million characters of CSV, plus escapes and multi-byte characters.
  bodyLimitBytes: 8_000_000,
  input: z
    .object({
      ...wanted,
      learnerEmails: z
        .array(z.string().max(1_000))
        .max(LARGEST_BULK)
        .meta({ examples: [['learner-1000@demo.example', 'learner-1001@demo.example']] })
        .optional()
        .describe('E-mail addresses; invalid ones are reported. Personal data.'),
      csv: z
        .string()
        .max(5_000_000)
        .optional()
        .describe(
          'CSV text with commas, semicolons or tabs. Addresses are in a column `email` or `learner_email`, otherwise in the first column.',
        ),
    })
    .refine(({ learnerEmails, csv }) => (learnerEmails === undefined) !== (csv === undefined), EXACTLY_ONE),
  output: z.object({
    uuid: z.string().describe('Identifies the bulk allocation, for its report.'),
    jobUuid: z.string().describe('Job to follow with `jobs.get` or `jobs.progress`.'),
    learnerCount: z.int().min(1).describe('Number of distinct learners.'),
  }),
  errors: [notAllocatable, allocationRefused, policyLocked],
});

const batch = { policyUuid: wanted.policyUuid, uuid: uuid().describe('Bulk allocation.') };
const BULK = '/api/v1/policy-allocation/{policyUuid}/bulk-allocations/{uuid}/';

export const bulkReport = defineContract({
  summary: 'Outcome of each learner of a bulk allocation, in the order of the list.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: policy,
  rest: { method: 'GET', path: BULK },
  input: z.object({
    ...batch,
    onlyFailed: z.boolean().default(false).describe('Only learners without a successful allocation.'),
    ...pageInput({ defaultSize: 100, maximumSize: 500 }),
  }),
  output: pageOutput(
    z.object({
      learnerEmail: z.string().describe('E-mail address. Personal data.'),
      outcome: openEnum(bulkOutcomes).describe('Outcome; `waiting` is not done yet.'),
    }),
  ),
  errors: [],
});

/** No learner of the list can be retried. */
export const nothingToResume = defineError({
  code: 'nothing_to_resume',
  status: 422,
  message: 'No learner of this bulk allocation can be retried.',
  details: z.object({}),
});

export const resumeBulk = defineContract({
  summary: 'Retry the learners of a bulk allocation whom the budget did not cover.',
  kind: 'mutation',
  permission: policyPermissions.has_allocation_access,
  context: policy,
  rest: { method: 'POST', path: `${BULK}resume/`, status: 202 },
  input: z.object(batch),
  output: z.object({
    jobUuid: z.string().describe('Job to follow.'),
    learnerCount: z.int().min(1).describe('Number of learners to retry.'),
  }),
  errors: [nothingToResume],
});
