import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { reasonObject } from '../policies/reason.ts';
import { assignment } from './contract.ts';

const INT32 = 2_147_483_647;

/** Learners of one request; longer lists are for `allocateInBulk`. */
export const LARGEST_ALLOCATION = 1_000;

/** The policy cannot pay for the allocation; nothing was allocated. */
export const notAllocatable = defineError({
  code: 'not_allocatable',
  status: 422,
  message: 'The content cannot be allocated through this policy.',
  details: z.object({ reasons: z.array(reasonObject).describe('Why.') }),
});

/** The allocation contradicts itself or the catalog; nothing was allocated. */
export const allocationRefused = defineError({
  code: 'allocation_refused',
  status: 422,
  message: 'The allocation was refused.',
  details: z.object({
    reason: z
      .enum(['PriceValidationError', 'AllocationException', 'ValidationError'])
      .describe('Machine name; the old services’ exception.'),
    userMessage: z.string().describe('Sentence for people.'),
    errorMessage: z.string().describe('Sentence for those who look into it.'),
    policyUuids: z.array(z.string()).describe('The policy.'),
  }),
});

const address = z.string().trim().max(254).pipe(z.email());

export const wanted = {
  policyUuid: uuid().describe('Policy that pays.'),
  contentKey: z.string().trim().min(1).max(255).describe('Course or course run.'),
  contentPriceCents: z
    .int()
    .min(0)
    .max(INT32)
    .describe('US cents for each learner; within 5 % of the catalog’s price (R-POL-14).'),
  adminLmsUserId: z
    .int()
    .min(1)
    .max(INT32)
    .nullable()
    .optional()
    .describe('Administrator; counts only for callers whose token names no learner.'),
  suppressEmail: z.boolean().default(false).describe('True sends no mail about the new assignments (R-ADD-16).'),
};

export const policy = { from: 'policy', field: 'policyUuid' } as const;

export const allocate = defineContract({
  summary: 'Allocate a course or run to learners at a fixed price. Learners who hold it already are not charged again.',
  kind: 'mutation',
  permission: 'subsidy_access_policy.has_allocation_access',
  context: policy,
  rest: { method: 'POST', path: '/api/v1/policy-allocation/{policyUuid}/allocate/', status: 202 },
  input: z.object({
    ...wanted,
    learnerEmails: z
      .array(address)
      .min(1)
      .max(LARGEST_ALLOCATION)
      .describe('Addresses, compared without regard to case. Personal data.'),
  }),
  output: z.object({
    updated: z.array(assignment).describe('Assignments that were there and have changed.'),
    created: z.array(assignment).describe('New assignments.'),
    noChange: z.array(assignment).describe('Learners who hold the content already.'),
  }),
  errors: [notAllocatable, allocationRefused],
});
