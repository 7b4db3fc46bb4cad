import { appendToOutbox, type Transaction, transaction } from '@enterprise-access/db';
import { reverse as reverseAssignment } from '../assignments/index.ts';
import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { releaseBudget, releaseShare } from '../policies/index.ts';
import { redemptionReversed } from './events.ts';
import * as store from './store.ts';

/**
 * Records a reversal that was made in a remote ledger: releases the value in policy and learner's share. Idempotent.
 * A reversal in the embedded ledger does the same in its own transaction.
 */
export async function noteReversal(
  deps: Pick<Runtime, 'db' | 'clock' | 'followAssignments'>,
  { spend, transactionUuid }: store.Redemption,
  reversed: Pick<LedgerTransaction, 'quantityCents'>,
  claim?: (trx: Transaction) => Promise<boolean>,
): Promise<void> {
  const at = deps.clock();
  await transaction(deps.db, async (trx) => {
    if (claim && !(await claim(trx))) return;
    if (!(await store.reverse(trx, spend, at))) return;
    const charge = { ...spend, priceCents: -reversed.quantityCents };
    const countAssignment = transactionUuid === null ? null : await reverseAssignment(deps, trx, transactionUuid, at);
    await releaseShare(trx, charge);
    await appendToOutbox(trx, at, [redemptionReversed(spend)]);
    await releaseBudget(trx, charge);
    await countAssignment?.();
  });
}

/**
 * Sets the redemption of a transaction in the embedded ledger to reversed, if there is one. False if it was reversed
 * before.
 */
export async function markReversed(trx: Transaction, transactionUuid: string, at: Date): Promise<boolean> {
  const redemption = await store.findByTransaction(trx, transactionUuid);
  if (!redemption) return true;
  if (!(await store.reverse(trx, redemption.spend, at))) return false;
  await appendToOutbox(trx, at, [redemptionReversed(redemption.spend)]);
  return true;
}
