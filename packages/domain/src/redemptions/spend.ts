import { setTimeout as sleep } from 'node:timers/promises';
import { appendToOutbox, isUniqueViolation, transaction } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import { type BudgetRefusal, giveBack, take } from '../policies/index.ts';
import { UpstreamFailure } from '../upstreams/http.ts';
import type { Spend } from '../upstreams/ledger.ts';
import { subsidyRedeemed } from './events.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'log'>;

/** Rolls the reservation back and carries the reason out of the transaction. */
class ReservationRefused extends Error {
  readonly reason: BudgetRefusal | 'not_enough_value_in_subsidy';
  constructor(reason: BudgetRefusal | 'not_enough_value_in_subsidy') {
    super(reason);
    this.reason = reason;
  }
}

export type Reservation =
  | { readonly reserved: true }
  | { readonly reserved: false; readonly reason: ReservationRefused['reason'] | 'already_redeemed' };

/**
 * Step 1: takes the price from the policy, the learner's share and the ledger, and stores the intent, all or nothing.
 * Every caller takes the rows in this order, so that they queue instead of deadlocking.
 */
export async function reserve(deps: Deps, spend: Spend): Promise<Reservation> {
  const now = deps.clock();
  try {
    await transaction(deps.db, async (trx) => {
      const overLimit = await take(trx, spend);
      if (overLimit) throw new ReservationRefused(overLimit);
      if (await deps.ledger.hold(trx, spend, now)) throw new ReservationRefused('not_enough_value_in_subsidy');
      await store.insert(trx, spend, now);
    });
    return { reserved: true };
  } catch (error) {
    if (error instanceof ReservationRefused) return { reserved: false, reason: error.reason };
    // The constraint that nobody is charged twice: another request of the same learner was first.
    if (isUniqueViolation(error)) return { reserved: false, reason: 'already_redeemed' };
    throw error;
  }
}

/**
 * Steps 2 and 3: asks for fulfilment, outside of any transaction, and records how it ended. Safe to repeat and to run
 * from several places at once: the ledger acts once per key, and one of them records. An unanswered call leaves the
 * redemption pending for the next one who finishes it.
 */
export async function finish(deps: Deps, spend: Spend): Promise<void> {
  const settlement = await deps.ledger.settle(spend);
  await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const isCommitted = settlement.outcome === 'committed';
    const first = await store.end(trx, spend.uuid, {
      state: isCommitted ? 'committed' : 'failed',
      transactionUuid: isCommitted ? settlement.transactionUuid : null,
      errorCode: isCommitted ? null : settlement.code,
      at: now,
    });
    if (!first) return;
    if (!isCommitted) await giveBack(trx, spend);
    await deps.ledger.record(trx, spend, settlement, now);
    if (isCommitted) await appendToOutbox(trx, now, [subsidyRedeemed(spend)]);
  });
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
