import { setTimeout as sleep } from 'node:timers/promises';
import { appendToOutbox, isUniqueViolation, transaction } from '@enterprise-access/db';
import { claim, settle } from '../assignments/index.ts';
import type { LedgerTransaction, Settlement, Spend } from '../kernel/ports/ledger.ts';
import { UpstreamFailure } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redemptionDecided } from '../kernel/telemetry.ts';
import { adjust, type BudgetRefusal, giveBackBudget, giveBackShare, takeBudget, takeShare } from '../policies/index.ts';
import { subsidyRedeemed } from './events.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'log'>;

/** Rolls the reservation back and carries the reason out of the transaction. */
type ReservationRefusal = BudgetRefusal | 'not_enough_value_in_subsidy' | 'reason_learner_not_assigned_content';

class ReservationRefused extends Error {
  readonly reason: ReservationRefusal;
  constructor(reason: ReservationRefusal) {
    super(reason);
    this.reason = reason;
  }
}

export type Reservation =
  | { readonly reserved: true }
  | { readonly reserved: false; readonly reason: ReservationRefused['reason'] | 'already_redeemed' };

/**
 * Step 1: stores the intent and takes the learner's assignment, if it is one that is redeemed, and the price from the
 * learner's share, the ledger and the policy, all or nothing.
 */
export async function reserve(deps: Deps, spend: Spend): Promise<Reservation> {
  try {
    await transaction(deps.db, async (trx) => {
      await store.insert(trx, spend);
      const { assignmentUuid } = spend;
      if (assignmentUuid !== null && !(await claim(trx, spend, assignmentUuid)))
        throw new ReservationRefused('reason_learner_not_assigned_content');
      const overShare = await takeShare(trx, spend);
      if (overShare) throw new ReservationRefused(overShare);
      if (await deps.ledger.hold(trx, spend)) throw new ReservationRefused('not_enough_value_in_subsidy');
      const overBudget = await takeBudget(trx, spend);
      if (overBudget) throw new ReservationRefused(overBudget);
    });
    return { reserved: true };
  } catch (error) {
    if (error instanceof ReservationRefused) return { reserved: false, reason: error.reason };
    // The constraint that nobody is charged twice: another request of the same learner was first.
    if (isUniqueViolation(error)) return { reserved: false, reason: 'already_redeemed' };
    throw error;
  }
}

/** How a redemption ended, as this process recorded it. */
export interface Finished {
  readonly settlement: Settlement;
  readonly transaction: LedgerTransaction | null;
}

/**
 * Steps 2 and 3: asks for fulfilment, outside of any transaction, and records how it ended. Safe to repeat and to run
 * from several places at once: the ledger acts once per key, and one of them records; the others get null. An unanswered
 * call leaves the redemption pending for the next one who finishes it.
 */
export async function finish(deps: Deps, spend: Spend): Promise<Finished | null> {
  const settlement = await deps.ledger.settle(spend);
  const end = endOf(settlement);
  const finished = await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const isCommitted = settlement.outcome === 'committed';
    const first = await store.end(trx, spend.uuid, { ...end, at: now });
    if (!first) return null;
    const countAssignment = await settle(trx, spend, settlement, now);
    if (!isCommitted) await giveBackShare(trx, spend);
    const { transaction: made, events } = await deps.ledger.record(trx, spend, settlement, now);
    await appendToOutbox(trx, now, isCommitted ? [...events, subsidyRedeemed(spend)] : events);
    if (!isCommitted) await giveBackBudget(trx, spend);
    else if (settlement.remote) await adjust(trx, spend, -settlement.remote.quantityCents);
    await countAssignment();
    return { settlement, transaction: made };
  });
  if (finished) redemptionDecided.publish({ outcome: end.state, reason: end.errorCode });
  return finished;
}

/** What the row keeps. A transaction that stood before answers the learner, but this redemption took nothing. */
function endOf(settlement: Settlement): Omit<Parameters<typeof store.end>[2], 'at'> {
  switch (settlement.outcome) {
    case 'committed':
      return { state: 'committed', transactionUuid: settlement.transactionUuid, errorCode: null };
    case 'standing':
      return { state: 'failed', transactionUuid: settlement.transaction.uuid, errorCode: 'already_redeemed' };
    case 'refused':
      return { state: 'failed', transactionUuid: null, errorCode: settlement.code };
  }
}

const WAIT_MS = 10_000;

/** Waits for a redemption that another request is working on; finishes it when that request seems to be gone. */
export async function awaitEnd(deps: Deps, uuid: string): Promise<store.Redemption | null> {
  for (let waited = 0, pause = 10; waited < WAIT_MS; waited += pause, pause = Math.min(pause * 1.5, 250)) {
    const redemption = await store.find(deps.db, uuid);
    if (redemption?.state !== 'pending') return redemption;
    await sleep(pause);
  }
  const abandoned = await store.find(deps.db, uuid);
  if (abandoned?.state === 'pending') await finish(deps, abandoned.spend);
  return store.find(deps.db, uuid);
}

/** How old a pending redemption is before nobody can still be working on it, in milliseconds. */
export const ABANDONED_MS = 60_000;

/**
 * Finishes what crashes and silent services left pending, whichever way it went. Returns how many it looked at and how
 * many are still open.
 */
export async function reconcile(
  deps: Deps,
  options: { olderThanMs?: number; limit?: number } = {},
): Promise<{ found: number; open: number }> {
  const before = new Date(deps.clock().getTime() - (options.olderThanMs ?? ABANDONED_MS));
  const pending = await store.pendingBefore(deps.db, before, options.limit ?? 1_000);
  let open = 0;
  for (const { spend } of pending) {
    try {
      await finish(deps, spend);
    } catch (error) {
      if (!(error instanceof UpstreamFailure)) throw error;
      open += 1;
      deps.log.warn({ redemption: spend.uuid, err: error }, 'redemption stays pending');
    }
  }
  return { found: pending.length, open };
}
