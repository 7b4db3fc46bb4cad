import { z } from 'zod';
import { defineError } from '../kernel/errors.ts';

const none = z.object({});

/** The subsidy is not active at this time. */
export const inactiveSubsidy = defineError({
  code: 'inactive_subsidy_creation_error',
  status: 422,
  message: 'Cannot create a transaction in an inactive subsidy',
  details: none,
});

/** The LMS refused the enrollment; the value was released. */
export const enrollmentRefused = defineError({
  code: 'enrollment_error',
  status: 422,
  message: 'The learner could not be enrolled.',
  details: z.object({ transactionUuid: z.string().describe('The transaction that failed.') }),
});

/** This ledger cannot order content of external providers; nothing was spent. */
export const fulfillmentRefused = defineError({
  code: 'fulfillment_error',
  status: 422,
  message: 'Missing metadata.',
  details: none,
});

/** No catalog of the customer contains the content. */
export const contentNotFound = defineError({
  code: 'content_not_found',
  status: 422,
  message: 'The given content_key is not in any catalog for this customer.',
  details: z.object({ contentKey: z.string().describe('The requested content.') }),
});

/** The requested price is too far from the canonical one. */
export const invalidRequestedPrice = defineError({
  code: 'invalid_requested_price',
  status: 422,
  message: 'The requested price is outside of the acceptable interval.',
  details: z.object({
    requestedPriceCents: z.int().describe('Requested price in US cents.'),
    canonicalPriceCents: z.int().describe('Canonical price in US cents.'),
  }),
});

/** Nothing was spent; the message has the reason, usually an insufficient balance. */
export const transactionNotCreated = defineError({
  code: 'transaction_creation_error',
  status: 422,
  message: 'Transaction was None after attempting to redeem',
  details: none,
});

/** A limit of the policy refuses the spend; nothing was spent. */
export const policyLimitReached = defineError({
  code: 'policy_limit_reached',
  status: 422,
  message: 'A limit of the policy does not allow this transaction.',
  details: z.object({ reason: z.string().describe('Code of the limit.') }),
});

/** The result of the transaction is not known yet; repeating the request completes it without charging twice. */
export const transactionPending = defineError({
  code: 'transaction_pending',
  status: 503,
  message: 'The transaction is being completed. Repeat the request to get the result; nothing is charged twice.',
  details: z.object({ transactionUuid: z.string().describe('The pending transaction.') }),
});

/** The subsidy has ended; the deposit could not be spent. */
export const depositOnExpiredSubsidy = defineError({
  code: 'deposit_on_expired_subsidy',
  status: 422,
  message: 'Cannot create a deposit in an expired subsidy',
  details: none,
});

/** The key belongs to another deposit. */
export const depositNotCreated = defineError({
  code: 'deposit_creation_error',
  status: 422,
  message: 'A deposit with this key exists. Use another idempotency_key for another deposit.',
  details: none,
});

/** Only committed redemptions can be reversed. */
export const notReversible = defineError({
  code: 'reversal_creation_error',
  status: 422,
  message: 'Only committed redemptions can be reversed.',
  details: z.object({ state: z.string().describe('State of the transaction.') }),
});
