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

/** Learners of one request; longer lists are for `allocateInBulk`. */
export const LARGEST_ALLOCATION = 1_000;

/** The policy cannot pay for the allocation; nothing was allocated. */
export const notAllocatable = defineError({
  code: 'not_allocatable',
  status: 422,
  message: 'The content cannot be allocated through this policy.',
  details: z.object({ reasons: z.array(reasonObject).describe('Why.'), decisionUuid: decisionUuid() }),
});

/** The allocation contradicts itself or the catalog; nothing was allocated. */
export const allocationRefused = defineError({
  code: 'allocation_refused',
  status: 422,
  message: 'The allocation was refused.',
  details: z.object({
    reason: openEnum(['PriceValidationError', 'AllocationException', 'ValidationError']).describe(
      'Machine name; the old services’ exception.',
    ),
    userMessage: z.string().describe('Sentence for people.'),
    errorMessage: z.string().describe('Sentence for those who look into it.'),
    policyUuids: z.array(z.string()).describe('The policy.'),
    decisionUuid: decisionUuid(),
  }),
});

/** An e-mail address without blanks around it. */
export const plainAddress = z.email({ pattern: PLAIN_EMAIL }).max(254);
const address = z.string().trim().max(254).pipe(plainAddress);

export const wanted = {
  policyUuid: uuid().describe('Policy that pays.'),
  contentKey: z.string().trim().min(1).max(255).describe('Course or course run.'),
  contentPriceCents: z
    .int()
    .min(0)
    .max(INT32)
    .describe('US cents for each learner; within 5 % of the catalog’s price.'),
  adminLmsUserId: z
    .int()
    .min(1)
    .max(INT32)
    .nullable()
    .optional()
    .describe('Administrator; counts only for callers whose token names no learner.'),
  suppressEmail: z.boolean().default(false).describe('True sends no mail about the new assignments.'),
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
      .describe('Addresses, compared without regard to case. Personal data.')
      .meta({ examples: [['learner-1000@demo.example']] }),
  }),
  output: z.object({
    updated: z.array(assignment).describe('Assignments that were there and have changed.'),
    created: z.array(assignment).describe('New assignments.'),
    noChange: z.array(assignment).describe('Learners who hold the content already.'),
  }),
  errors: [notAllocatable, allocationRefused, policyLocked],
});

/** Learners of one bulk allocation. */
export const LARGEST_BULK = 50_000;

/** What became of one learner of a bulk allocation. */
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

/** Neither a list nor a CSV text, or both of them, or one without any address. */
const EXACTLY_ONE = {
  message: 'Either learner_emails or csv must be given, with at least one address.',
  path: ['learnerEmails'],
};

export const allocateInBulk = defineContract({
  summary:
    'Allocate a course or run to thousands of learners in the background. Follow the job; the report has an outcome for each learner.',
  kind: 'mutation',
  permission: policyPermissions.has_allocation_access,
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-allocation/{policyUuid}/allocate-in-bulk/', status: 202 },
  // Five million characters of CSV, with room for escapes and characters of several bytes.
  bodyLimitBytes: 8_000_000,
  input: z
    .object({
      ...wanted,
      learnerEmails: z
        .array(z.string().max(1_000))
        .max(LARGEST_BULK)
        .meta({ examples: [['learner-1000@demo.example', 'learner-1001@demo.example']] })
        .optional()
        .describe('Addresses; those that are none are reported as such. Personal data.'),
      csv: z
        .string()
        .max(5_000_000)
        .optional()
        .describe(
          'Text in CSV, between commas, semicolons or tabs, with a column `email` or `learner_email`, or with addresses in its first column.',
        ),
    })
    .refine(({ learnerEmails, csv }) => (learnerEmails === undefined) !== (csv === undefined), EXACTLY_ONE),
  output: z.object({
    uuid: z.string().describe('Identifies the bulk allocation, for its report.'),
    jobUuid: z.string().describe('Job to follow: `jobs.get`, and its progress.'),
    learnerCount: z.int().min(1).describe('Learners, each counted once.'),
  }),
  errors: [notAllocatable, allocationRefused, policyLocked],
});

const batch = { policyUuid: wanted.policyUuid, uuid: uuid().describe('Bulk allocation.') };
const BULK = '/api/v1/policy-allocation/{policyUuid}/bulk-allocations/{uuid}/';

export const bulkReport = defineContract({
  summary: 'What became of each learner of a bulk allocation, in the order of the list.',
  kind: 'query',
  permission: policyPermissions.has_allocation_access,
  context: policy,
  rest: { method: 'GET', path: BULK },
  input: z.object({
    ...batch,
    onlyFailed: z.boolean().default(false).describe('Only learners who were not allocated the content.'),
    ...pageInput({ defaultSize: 100, maximumSize: 500 }),
  }),
  output: pageOutput(
    z.object({
      learnerEmail: z.string().describe('Address. Personal data.'),
      outcome: openEnum(bulkOutcomes).describe('What became of it; waiting is still to be done.'),
    }),
  ),
  errors: [],
});

/** Nobody is left whom another attempt could help. */
export const nothingToResume = defineError({
  code: 'nothing_to_resume',
  status: 422,
  message: 'No learner of this bulk allocation is left whom another attempt could help.',
  details: z.object({}),
});

export const resumeBulk = defineContract({
  summary: 'Try again for the learners of a bulk allocation whom the budget did not cover.',
  kind: 'mutation',
  permission: policyPermissions.has_allocation_access,
  context: policy,
  rest: { method: 'POST', path: `${BULK}resume/`, status: 202 },
  input: z.object(batch),
  output: z.object({
    jobUuid: z.string().describe('Job to follow.'),
    learnerCount: z.int().min(1).describe('Learners who are tried again.'),
  }),
  errors: [nothingToResume],
});
