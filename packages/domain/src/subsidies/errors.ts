import { z } from 'zod';
import { defineError } from '../kernel/errors.ts';

const none = z.object({});

/** Outside of its window a subsidy pays for nothing. */
export const inactiveSubsidy = defineError({
  code: 'inactive_subsidy_creation_error',
  status: 422,
  message: 'Cannot create a transaction in an inactive subsidy',
  details: none,
});

/** The LMS refused to enrol; the value went back. */
export const enrollmentRefused = defineError({
  code: 'enrollment_error',
  status: 422,
  message: 'The learner could not be enrolled.',
  details: z.object({ transactionUuid: z.string().describe('The transaction that failed.') }),
});

/** The content is taught by an external provider, of whom this ledger orders nothing; nothing was spent. */
export const fulfillmentRefused = defineError({
  code: 'fulfillment_error',
  status: 422,
  message: 'Missing metadata.',
  details: none,
});

/** None of the customer's catalogs has the content. */
export const contentNotFound = defineError({
  code: 'content_not_found',
  status: 422,
  message: 'The given content_key is not in any catalog for this customer.',
  details: z.object({ contentKey: z.string().describe('The content asked for.') }),
});

/** The requested price is too far from the canonical one. */
export const invalidRequestedPrice = defineError({
  code: 'invalid_requested_price',
  status: 422,
  message: 'The requested price is outside of the acceptable interval.',
  details: z.object({
    requestedPriceCents: z.int().describe('US cents asked for.'),
    canonicalPriceCents: z.int().describe('US cents that the content costs.'),
  }),
});

/** Nothing was spent, for a reason in the message: the balance is too small, most of the time. */
export const transactionNotCreated = defineError({
  code: 'transaction_creation_error',
  status: 422,
  message: 'Transaction was None after attempting to redeem',
  details: none,
});

/** A limit of the policy is in the way; nothing was spent. */
export const policyLimitReached = defineError({
  code: 'policy_limit_reached',
  status: 422,
  message: 'A limit of the policy does not allow this transaction.',
  details: z.object({ reason: z.string().describe('Machine name of the limit.') }),
});

/** It is not known yet how the transaction ends; repeating the request completes it and charges nothing twice. */
export const transactionPending = defineError({
  code: 'transaction_pending',
  status: 503,
  message: 'The transaction is being completed. Repeat the request to see how it ended; nothing is charged twice.',
  details: z.object({ transactionUuid: z.string().describe('The transaction in question.') }),
});

/** The subsidy has ended; its value would be lost. */
export const depositOnExpiredSubsidy = defineError({
  code: 'deposit_on_expired_subsidy',
  status: 422,
  message: 'Cannot create a deposit in an expired subsidy',
  details: none,
});

/** The key of the deposit belongs to another one. */
export const depositNotCreated = defineError({
  code: 'deposit_creation_error',
  status: 422,
  message: 'A deposit under this key exists already. Give an idempotency_key of its own to a further deposit.',
  details: none,
});

/** Only committed redemptions can be reversed. */
export const notReversible = defineError({
  code: 'reversal_creation_error',
  status: 422,
  message: 'Only committed redemptions can be reversed.',
  details: z.object({ state: z.string().describe('State of the transaction.') }),
});
