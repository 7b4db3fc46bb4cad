import { z } from 'zod';
import type { LegacyForm } from '../kernel/legacy.ts';
import { refusalBody, refusalOf } from '../policies/index.ts';
import type * as contract from './allocation-contract.ts';

const notAllocatable = {
  body: refusalBody,
  encode: ({ reasons }: z.infer<typeof contract.notAllocatable.details>) => refusalOf(reasons),
};

/** A list with one object, like the other refusal; contains the text of an exception. */
const allocationRefused = {
  body: z
    .array(
      z
        .object({
          reason: z.string(),
          user_message: z.string(),
          error_message: z.string(),
          policy_uuids: z.array(z.string()),
        })
        .meta({ title: 'AllocationRefusal' }),
    )
    .meta({ title: 'AllocationRefusals' }),
  encode: (details: z.infer<typeof contract.allocationRefused.details>) => [
    {
      reason: details.reason,
      user_message: details.userMessage,
      error_message: details.errorMessage,
      policy_uuids: details.policyUuids,
    },
  ],
};

export const allocationLegacy: Readonly<Record<string, LegacyForm>> = {
  allocateInBulk: { errors: { not_allocatable: notAllocatable, allocation_refused: allocationRefused } },
  allocate: { errors: { not_allocatable: notAllocatable, allocation_refused: allocationRefused } },
};
