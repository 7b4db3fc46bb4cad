import { RowNotChanged, type Transaction, transaction } from '@enterprise-access/db';
import { reverse as reverseAssignment } from '../assignments/index.ts';
import { notFound } from '../kernel/errors.ts';
import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { findTransaction, insertReversal, ledgerOfTransaction } from '../ledger/index.ts';
import { ownerOf as customerOfPolicy, releaseBudget, releaseShare } from '../policies/index.ts';
import { markReversed } from '../redemptions/index.ts';
import { notReversible } from './errors.ts';
import { tryToUnenrol } from './unenrol.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'log' | 'followAssignments'>;

/** Thrown to roll back: the transaction was reversed concurrently. */
class AlreadyReversed extends Error {}

export interface ReverseRequest {
  readonly transactionUuid: string;
  readonly idempotencyKey: string;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  /** Claims the event that caused the reversal, in its transaction; false if it was processed before. */
  readonly claim?: (trx: Transaction) => Promise<boolean>;
}

/**
 * Reverses a committed redemption in the ledger, the policy and the learner's share, all or nothing and only once for
 * any key, and then ends the enrollment. A repeat returns the reversed transaction. If the LMS does not answer, the
 * reversal stays and `reconcileUnenrolments` retries the unenrollment.
 */
export async function reverseTransaction(deps: Deps, request: ReverseRequest): Promise<LedgerTransaction> {
  const uuid = request.transactionUuid;
  const [found, ledger] = await Promise.all([findTransaction(deps.db, uuid), ledgerOfTransaction(deps.db, uuid)]);
  if (!found || ledger === null) throw notFound({});
  if (found.reversal) {
    await tryToUnenrol(deps, found);
    return found;
  }
  const { lmsUserId } = found;
  if (lmsUserId === null || found.state !== 'committed') throw notReversible({ state: found.state });
  const at = deps.clock();
  // Spends without one of our policies did not change a budget.
  const policyUuid = found.subsidyAccessPolicyUuid;
  const isOfOurPolicy = policyUuid !== null && (await customerOfPolicy(deps.db, policyUuid)) !== null;
  const charge = isOfOurPolicy ? { policyUuid, lmsUserId, priceCents: -found.quantityCents } : null;
  try {
    await transaction(deps.db, async (trx) => {
      if (request.claim && !(await request.claim(trx))) throw new AlreadyReversed();
      if (!(await markReversed(trx, uuid, at))) throw new AlreadyReversed();
      const countAssignment = await reverseAssignment(deps, trx, uuid, at);
      if (charge) await releaseShare(trx, charge);
      const { idempotencyKey, metadata } = request;
      if (!(await insertReversal(trx, { transaction: found, ledger, idempotencyKey, metadata, at })))
        throw new AlreadyReversed();
      if (charge) await releaseBudget(trx, charge);
      await countAssignment();
    });
  } catch (error) {
    // For a transaction without a redemption, a concurrent request may have released the share just before.
    const isRace = error instanceof RowNotChanged && Boolean((await findTransaction(deps.db, uuid))?.reversal);
    if (!isRace && !(error instanceof AlreadyReversed)) throw error;
  }
  const after = await findTransaction(deps.db, uuid);
  if (!after?.reversal) throw notReversible({ state: after?.state ?? found.state });
  await tryToUnenrol(deps, after);
  return after;
}
