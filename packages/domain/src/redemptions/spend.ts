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
import { type Decision, keepDecisions } from '../decisions/index.ts';
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

/** A limit that the reservation met. */
export type Limit = BudgetRefusal | 'not_enough_value_in_subsidy' | 'reason_learner_not_assigned_content';

export type Reservation =
  | { readonly reserved: true }
  | { readonly reserved: false; readonly reason: Limit }
  /** Others changed what this request had read, or were first with this learner and content: look again. */
  | { readonly reserved: false; readonly reason: 'already_redeemed' | LimitsChanged };

type Refusal = Limit | LimitsChanged;

/** Rolls the reservation back and carries the reason out of the transaction. */
class ReservationRefused extends Error {
  readonly reason: Refusal;
  constructor(reason: Refusal) {
    super(reason);
    this.reason = reason;
  }
}

/** Runs `work` in a transaction that is rolled back when it returns a reason why nothing can be reserved. */
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
    // The constraint that nobody is charged twice: another request of the same learner was first.
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
    // Both are sent at once.
    await Promise.all([store.insert(trx, spend), keepDecisions(trx, [decision])]);
    const { assignmentUuid } = spend;
    if (assignmentUuid !== null && !(await claim(trx, spend, assignmentUuid)))
      return 'reason_learner_not_assigned_content';
    const overShare = await reserveShare(trx, spend, limits);
    if (overShare) return overShare;
    if (await ledger.hold(trx, spend)) return 'not_enough_value_in_subsidy';
    return reserveBudget(trx, spend, limits);
  });

/**
 * Settles: asks the ledger, and through it the LMS, for fulfilment, outside of any transaction. Safe to repeat and to run
 * from several places at once: the ledger acts once per key. Unknown means that the spend stays pending, and whoever
 * finishes it asks again.
 */
export const settle = ({ ledger }: Pick<Deps, 'ledger'>, spend: Spend): Promise<Settlement | Unknown> =>
  orUnknown(ledger.settle(spend));

/** How a redemption ended, as this process recorded it. */
export interface Recorded {
  readonly settlement: Settlement;
  readonly transaction: LedgerTransaction | null;
}

/** Records how a spend ended, all in one transaction. Null when somebody else has recorded it before. */
export async function record(deps: Deps, spend: Spend, settlement: Settlement): Promise<Recorded | null> {
  const end = endOf(settlement);
  const recorded = await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    if (!(await store.end(trx, spend.uuid, { ...end, at: now }))) return null;
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

/** Settles and records a redemption that was reserved before, by this process or another one. */
async function finish(deps: Deps, spend: Spend): Promise<Unknown | null> {
  const settlement = await settle(deps, spend);
  if (isUnknown(settlement)) return settlement;
  await record(deps, spend, settlement);
  return null;
}

/** How long a request waits for another one that is at work on the same redemption. */
const WAIT_MS = 10_000;
/** The same when connections were lost after the redemption was begun: its request has probably failed with them. */
const WAIT_AFTER_FAILOVER_MS = 500;

function waitMsFor(db: Database, { spend }: store.Redemption): number {
  const lostAt = lastConnectionLostAt(db);
  return lostAt !== null && lostAt >= spend.created ? WAIT_AFTER_FAILOVER_MS : WAIT_MS;
}

/**
 * Waits for a redemption that another request is working on, for a bounded time; then finishes it itself, because that
 * request seems to be gone. Unknown when its end cannot be found out now; null when there is no such redemption.
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

/** How old a pending redemption is before nobody can still be working on it, in milliseconds. */
export const ABANDONED_MS = 60_000;

/** Finishes the redemptions that crashes and silent services left pending. */
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
