import { z } from 'zod';
import { jsonObject } from '../kernel/metadata.ts';

export const transactionStates = ['created', 'pending', 'committed', 'failed'] as const;
export const transactionState = z.enum(transactionStates).meta({ title: 'TransactionState' });

const metadata = jsonObject().nullable();

const reversal = z
  .object({
    uuid: z.string().describe('Identifies the reversal.'),
    state: transactionState.describe('State of the reversal itself.'),
    idempotencyKey: z.string().describe('Key under which it was made.'),
    quantity: z.int().describe('US cents that went back; positive for a redemption.'),
    metadata: metadata.describe('Whatever was given with it.'),
    created: z.date().describe('When it was made.'),
    modified: z.date().describe('When it last changed.'),
  })
  .meta({ title: 'Reversal' });

/** A ledger transaction in replies. */
export const transactionView = z
  .object({
    uuid: z.string().describe('Identifies the transaction.'),
    state: transactionState.describe('Committed is final; failed gave the value back.'),
    idempotencyKey: z.string().describe('A second spend under this key is this transaction.'),
    lmsUserId: z.int().nullable().describe('Learner; null for deposits.'),
    lmsUserEmail: z.string().nullable().describe('Address of the learner at the time. Personal data.'),
    contentKey: z.string().nullable().describe('Course run.'),
    parentContentKey: z.string().nullable().describe('Course of the run.'),
    contentTitle: z.string().nullable().describe('Title at the time.'),
    courseRunStartDate: z.date().nullable().describe('Start of the run.'),
    quantity: z.int().describe('US cents; negative when value leaves.'),
    unit: z.string().describe('usd_cents.'),
    fulfillmentIdentifier: z.string().nullable().describe('Enrollment in the LMS.'),
    subsidyAccessPolicyUuid: z.string().nullable().describe('Policy through which it was spent.'),
    metadata: metadata.describe('Whatever was given with it.'),
    created: z.date().describe('When it was made.'),
    modified: z.date().describe('When it last changed.'),
    reversal: reversal.nullable().describe('Set when the value went back.'),
    externalReference: z.array(z.string()).describe('References of external fulfilment.'),
    transactionStatusApiUrl: z.string().describe('Where the state can be read.'),
    coursewareUrl: z.string().nullable().describe('Where the learner goes on.'),
  })
  .meta({ title: 'Transaction' });
export type TransactionView = z.infer<typeof transactionView>;

/** Sort orders of subsidy lists. */
export const subsidyOrders = ['title', 'created', 'active_datetime', 'expiration_datetime'] as const;
export const transactionOrders = ['created', 'quantity'] as const;
