import { z } from 'zod';
import { consumerOf } from '../kernel/consumer.ts';
import { noteReversal } from './reversal.ts';
import * as store from './store.ts';

const reversed = z.object({
  ledger_transaction: z.object({
    uuid: z.string(),
    quantity: z.int(),
    reversal: z.object({ state: z.string() }).nullish(),
  }),
});

/** Event: the subsidy service reversed a transaction. Releases its value in policy and learner's share. */
export const remoteReversal = consumerOf(
  'org.openedx.enterprise.subsidy_ledger_transaction.reversed.v1',
  reversed,
  async ({ runtime, claim }, { ledger_transaction: made }) => {
    // With the embedded ledger, these are our own events.
    if (runtime.ledger.isOurs) return;
    const redemption = await store.findByTransaction(runtime.db, made.uuid);
    if (!redemption) {
      runtime.log.info(
        { transaction: made.uuid },
        'a transaction was reversed that was not made through one of our policies',
      );
      return;
    }
    await noteReversal(runtime, redemption, { quantityCents: made.quantity }, claim);
  },
);
