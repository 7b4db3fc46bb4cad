import { setTimeout as sleep } from 'node:timers/promises';
import {
  appendToOutbox,
  type Database,
  isUniqueViolation,
  lastConnectionLostAt,
  type Transaction,
  transaction,
} from '@enterprise-access/db';
import { claim, endRedeemed } from '../assignments/index.ts';
import { type Decision, keepDecisionWithin } from '../decisions/index.ts';
import type { LedgerTransaction, Settlement, Spend } from '../kernel/ports/ledger.ts';
import { finishEach, isUnknown, orUnknown, type Unknown } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redemptionDecided } from '../kernel/telemetry.ts';
import {
  adjustBudget,
  adjustShare,
  type BudgetRefusal,
  type LearnerLimits,
  type LimitsChanged,
  releaseBudget,
  releaseShare,
  reserveBudget,
  reserveShare,
} from '../policies/index.ts';
import { subsidyRedeemed } from './events.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'log'>;

/** A limit that refuses the reservation. */
export type Limit = BudgetRefusal | 'not_enough_value_in_subsidy' | 'reason_learner_not_assigned_content';

export type Reservation =
  | { readonly reserved: true }
  | { readonly reserved: false; readonly reason: Limit }
  /** Concurrent requests changed the facts or redeemed first: collect and judge again. */
  | { readonly reserved: false; readonly reason: 'already_redeemed' | LimitsChanged };

type Refusal = Limit | LimitsChanged;

/** Thrown in a transaction to roll the reservation back, with the reason. */
class ReservationRefused extends Error {
  readonly reason: Refusal;
  constructor(reason: Refusal) {
    super(reason);
    this.reason = reason;
  }
}

/** Runs `work` in a transaction that is rolled back if it returns a reason. */
export async function reserving(
  db: Database,
  work: (trx: Transaction) => Promise<Refusal | null>,
): Promise<Reservation> {
  try {
    await transaction(db, async (trx) => {
      const refusal = await work(trx);
      if (refusal !== null) throw new ReservationRefused(refusal);
    });
    return { reserved: true };
  } catch (error) {
    if (error instanceof ReservationRefused) return { reserved: false, reason: error.reason };
    // Unique constraint against double charges: a concurrent request of the same learner was first.
    if (isUniqueViolation(error)) return { reserved: false, reason: 'already_redeemed' };
    throw error;
  }
}

/**
 * Reserves: stores the intent, takes the learner's assignment if it is one that is redeemed, and takes the price from the
 * learner's share, the ledger and the policy, all or nothing. The decision that allowed it is stored with it.
 */
export const reserve = (
  { db, ledger }: Pick<Deps, 'db' | 'ledger'>,
  spend: Spend,
  limits: LearnerLimits,
  decision: Decision | null = null,
): Promise<Reservation> =>
  reserving(db, async (trx) => {
    keepDecisionWithin(trx, decision);
    await store.insert(trx, spend);
    const { assignmentUuid } = spend;
    if (assignmentUuid !== null && !(await claim(trx, spend, assignmentUuid)))
      return 'reason_learner_not_assigned_content';
    const overShare = await reserveShare(trx, spend, limits);
    if (overShare) return overShare;
    if (await ledger.hold(trx, spend)) return 'not_enough_value_in_subsidy';
    return reserveBudget(trx, spend, limits);
  });

/**
 * Settles: the ledger, through the LMS, fulfills the spend, outside of any transaction. Safe to repeat and to run
 * concurrently: the ledger acts once per key. If the result is unknown, the spend stays pending and is settled again
 * later.
 */
export const settle = ({ ledger }: Pick<Deps, 'ledger'>, spend: Spend): Promise<Settlement | Unknown> =>
  orUnknown(ledger.settle(spend));

/** The result of a redemption that this process recorded. */
export interface Recorded {
  readonly settlement: Settlement;
  readonly transaction: LedgerTransaction | null;
}

/** Records the result of a spend in one transaction. Null if it was recorded before. */
export async function record(deps: Deps, spend: Spend, settlement: Settlement): Promise<Recorded | null> {
  const end = endOf(settlement);
  const recorded = await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    if (!(await store.end(trx, spend, { ...end, at: now }))) return null;
    const isCommitted = settlement.outcome === 'committed';
    const charged = isCommitted && settlement.remote ? -settlement.remote.quantityCents : spend.priceCents;
    const countAssignment = await endRedeemed(trx, spend, settlement, now);
    if (isCommitted) await adjustShare(trx, spend, charged);
    else await releaseShare(trx, spend);
    const { transaction: made, events } = await deps.ledger.record(trx, spend, settlement, now);
    await appendToOutbox(trx, now, isCommitted ? [...events, subsidyRedeemed(spend)] : events);
    if (isCommitted) await adjustBudget(trx, spend, charged);
    else await releaseBudget(trx, spend);
    await countAssignment();
    return { settlement, transaction: made };
  });
  if (recorded) redemptionDecided.publish({ outcome: end.state, reason: end.errorCode });
  return recorded;
}

/** The stored result. If the learner gets an existing transaction, this redemption has charged nothing. */
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

/** Settles and records a redemption that was reserved earlier, possibly by another process. */
async function finish(deps: Deps, spend: Spend): Promise<Unknown | null> {
  const settlement = await settle(deps, spend);
  if (isUnknown(settlement)) return settlement;
  await record(deps, spend, settlement);
  return null;
}

/** How long a request waits for a concurrent request of the same redemption. */
const WAIT_MS = 10_000;
/** The same after lost database connections, because the other request has probably failed with them. */
const WAIT_AFTER_FAILOVER_MS = 500;

function waitMsFor(db: Database, { spend }: store.Redemption): number {
  const lostAt = lastConnectionLostAt(db);
  return lostAt !== null && lostAt >= spend.created ? WAIT_AFTER_FAILOVER_MS : WAIT_MS;
}

/**
 * Waits for a redemption that another request is processing, for a limited time, and then completes it, because that
 * request seems to have crashed. Returns `Unknown` if the result is not known yet, null if the redemption does not
 * exist.
 */
export async function awaitEnd(deps: Deps, uuid: string): Promise<store.Redemption | Unknown | null> {
  const since = performance.now();
  for (let pause = 10; ; pause = Math.min(pause * 1.5, 250)) {
    const redemption = await store.find(deps.db, uuid);
    if (redemption?.state !== 'pending') return redemption;
    if (performance.now() - since >= waitMsFor(deps.db, redemption)) break;
    await sleep(pause);
  }
  const abandoned = await store.find(deps.db, uuid);
  if (abandoned?.state !== 'pending') return abandoned;
  return (await finish(deps, abandoned.spend)) ?? store.find(deps.db, uuid);
}

/** Age after which no request can still be working on a pending redemption, in milliseconds. */
export const ABANDONED_MS = 60_000;

/** Completes redemptions that crashes and unavailable services left pending. */
export async function reconcile(
  deps: Deps,
  options: { olderThanMs?: number; limit?: number } = {},
): Promise<{ found: number; open: number }> {
  const before = new Date(deps.clock().getTime() - (options.olderThanMs ?? ABANDONED_MS));
  const pending = await store.pendingBefore(deps.db, before, options.limit ?? 1_000);
  return finishEach(
    pending,
    ({ spend }) => finish(deps, spend),
    ({ spend }, err) => deps.log.warn({ redemption: spend.uuid, err }, 'redemption stays pending'),
  );
}
