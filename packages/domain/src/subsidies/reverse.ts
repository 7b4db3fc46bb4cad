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

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'log'>;

/** Rolls back what was given back already: somebody else was first. */
class AlreadyReversed extends Error {}

export interface ReverseRequest {
  readonly transactionUuid: string;
  readonly idempotencyKey: string;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  /** Claims what asks for the reversal in its transaction; false when it had its effect already. */
  readonly claim?: (trx: Transaction) => Promise<boolean>;
}

/**
 * Gives the value of a committed redemption back to the ledger, the policy and the learner's share, all or nothing and
 * only once, whatever the key, and then ends the enrolment. Repeating it answers with the transaction as the first call
 * left it. The reversal stands whether or not the LMS answers: `reconcileUnenrolments` asks it again.
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
  // Spends through a policy that is not ours took nothing from a budget of ours.
  const policyUuid = found.subsidyAccessPolicyUuid;
  const isOfOurPolicy = policyUuid !== null && (await customerOfPolicy(deps.db, policyUuid)) !== null;
  const charge = isOfOurPolicy ? { policyUuid, lmsUserId, priceCents: -found.quantityCents } : null;
  try {
    await transaction(deps.db, async (trx) => {
      if (request.claim && !(await request.claim(trx))) throw new AlreadyReversed();
      if (!(await markReversed(trx, uuid, at))) throw new AlreadyReversed();
      const countAssignment = await reverseAssignment(trx, uuid, at);
      if (charge) await releaseShare(trx, charge);
      const { idempotencyKey, metadata } = request;
      if (!(await insertReversal(trx, { transaction: found, ledger, idempotencyKey, metadata, at })))
        throw new AlreadyReversed();
      if (charge) await releaseBudget(trx, charge);
      await countAssignment();
    });
  } catch (error) {
    // A transaction without a redemption of ours: another request may have released the share just before.
    const isRace = error instanceof RowNotChanged && Boolean((await findTransaction(deps.db, uuid))?.reversal);
    if (!isRace && !(error instanceof AlreadyReversed)) throw error;
  }
  const after = await findTransaction(deps.db, uuid);
  if (!after?.reversal) throw notReversible({ state: after?.state ?? found.state });
  await tryToUnenrol(deps, after);
  return after;
}
