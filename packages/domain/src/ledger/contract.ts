import { z } from 'zod';
import { jsonObject } from '../kernel/metadata.ts';

export const transactionStates = ['created', 'pending', 'committed', 'failed'] as const;
export const transactionState = z.enum(transactionStates).meta({ title: 'TransactionState' });

const metadata = jsonObject().nullable();

const reversal = z
  .object({
    uuid: z.string().describe('Identifies the reversal.'),
    state: transactionState.describe('State of the reversal itself.'),
    idempotencyKey: z.string().describe('Idempotency key of the reversal.'),
    quantity: z.int().describe('Reversed US cents; positive for a redemption.'),
    metadata: metadata.describe('Free-form metadata.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
  })
  .meta({ title: 'Reversal' });

/** A ledger transaction in replies. */
export const transactionView = z
  .object({
    uuid: z.string().describe('Identifies the transaction.'),
    state: transactionState.describe('State of the transaction; a failed transaction has released its value.'),
    idempotencyKey: z.string().describe('Idempotency key of the transaction.'),
    lmsUserId: z.int().nullable().describe('Learner; null for deposits.'),
    lmsUserEmail: z
      .string()
      .nullable()
      .describe('E-mail address of the learner at the time of the spend. Personal data.'),
    contentKey: z.string().nullable().describe('Course run.'),
    parentContentKey: z.string().nullable().describe('Course of the run.'),
    contentTitle: z.string().nullable().describe('Title at the time.'),
    courseRunStartDate: z.date().nullable().describe('Start of the run.'),
    quantity: z.int().describe('US cents; negative for spends.'),
    unit: z.string().describe('usd_cents.'),
    fulfillmentIdentifier: z.string().nullable().describe('Enrollment in the LMS.'),
    subsidyAccessPolicyUuid: z.string().nullable().describe('Policy through which it was spent.'),
    metadata: metadata.describe('Free-form metadata.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
    reversal: reversal.nullable().describe('Set if the transaction was reversed.'),
    externalReference: z.array(z.string()).describe('References of external fulfillments.'),
    transactionStatusApiUrl: z.string().describe('URL to poll the state.'),
    coursewareUrl: z.string().nullable().describe('URL of the course.'),
  })
  .meta({ title: 'Transaction' });
export type TransactionView = z.infer<typeof transactionView>;

/** Sort orders of subsidy lists. */
export const subsidyOrders = ['title', 'created', 'active_datetime', 'expiration_datetime'] as const;
export const transactionOrders = ['created', 'quantity'] as const;
