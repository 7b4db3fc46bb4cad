import type { Connection } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import { ABANDONED_MS } from '../redemptions/spend.ts';
import { UpstreamFailure, UpstreamRefusal } from '../upstreams/http.ts';
import type { LedgerTransaction } from '../upstreams/ledger.ts';
import { findTransaction } from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'log'>;

const isOpen = async (db: Connection, transactionUuid: string): Promise<boolean> =>
  (await db('ledger_reversals').where({ transaction_uuid: transactionUuid }).whereNull('unenrolled').first('uuid')) !==
  undefined;

/**
 * Whether the learner has redeemed the same content again, in flight or done. The LMS knows one enrolment of a learner in
 * a run: a late cancellation of the first redemption would end what the second one pays for.
 */
async function isPaidAnew(db: Connection, { uuid, lmsUserId, contentKey }: LedgerTransaction): Promise<boolean> {
  const again = await db('ledger_transactions as other')
    .join('ledger_transactions as reversed', 'reversed.ledger_uuid', 'other.ledger_uuid')
    .where({
      'reversed.uuid': uuid,
      'other.lms_user_id': lmsUserId,
      'other.content_key': contentKey,
      'other.is_reversed': false,
    })
    .whereIn('other.state', ['created', 'pending', 'committed'])
    .first('other.uuid');
  return again !== undefined;
}

/**
 * Ends the enrolment that a reversed transaction had paid for (R-LED-19), outside of any transaction. The reversal's row
 * is the stored intent: as long as its `unenrolled` is null this is still to be done, and it is safe to repeat.
 */
async function unenrol(deps: Deps, reversed: LedgerTransaction): Promise<void> {
  const { uuid, fulfillmentIdentifier } = reversed;
  if (fulfillmentIdentifier !== null && !(await isPaidAnew(deps.db, reversed))) {
    const isKnown = await deps.lms.cancelFulfillment(fulfillmentIdentifier);
    if (!isKnown) deps.log.warn({ transaction: uuid }, 'the LMS does not know the enrolment of a reversed transaction');
  }
  await deps
    .db('ledger_reversals')
    .where({ transaction_uuid: uuid })
    .whereNull('unenrolled')
    .update({ unenrolled: deps.clock() });
}

/** Ends the enrolment now if the LMS plays along. Otherwise the reversal stays open for `reconcileUnenrolments`. */
export async function tryToUnenrol(deps: Deps, reversed: LedgerTransaction): Promise<boolean> {
  try {
    if (await isOpen(deps.db, reversed.uuid)) await unenrol(deps, reversed);
    return true;
  } catch (error) {
    if (!(error instanceof UpstreamFailure || error instanceof UpstreamRefusal)) throw error;
    deps.log.warn({ transaction: reversed.uuid, err: error }, 'the learner of a reversed transaction stays enrolled');
    return false;
  }
}

const openBefore = (db: Connection, before: Date) =>
  db('ledger_reversals').whereNull('unenrolled').where('created', '<', before);

export async function countUnenrolments(db: Connection, before: Date): Promise<number> {
  const row = await openBefore(db, before).count({ n: '*' }).first();
  return Number(row?.n ?? 0);
}

/**
 * Ends the enrolments that a crash or a silent LMS left after a reversal, oldest reversal first; part of the job
 * `redemptions.reconcile`. Returns how many it looked at and how many are still open.
 */
export async function reconcileUnenrolments(
  deps: Deps,
  options: { olderThanMs?: number; limit?: number } = {},
): Promise<{ found: number; open: number }> {
  const before = new Date(deps.clock().getTime() - (options.olderThanMs ?? ABANDONED_MS));
  const left: { transaction_uuid: string }[] = await openBefore(deps.db, before)
    .orderBy('created')
    .limit(options.limit ?? 1_000)
    .select('transaction_uuid');
  let open = 0;
  for (const { transaction_uuid: uuid } of left) {
    const reversed = await findTransaction(deps.db, uuid);
    if (reversed && !(await tryToUnenrol(deps, reversed))) open += 1;
  }
  return { found: left.length, open };
}
