import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import { finishEach, isUnknown, orUnknown, type Unknown } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { findTransaction, unenrolments } from '../ledger/index.ts';
import { ABANDONED_MS } from '../redemptions/index.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'log'>;

/**
 * Ends the enrolment that a reversed transaction had paid for (R-LED-19), outside of any transaction. The reversal's row
 * is the stored intent: as long as its `unenrolled` is null this is still to be done, and it is safe to repeat.
 */
async function unenrol(deps: Deps, reversed: LedgerTransaction): Promise<void> {
  const { uuid, fulfillmentIdentifier } = reversed;
  if (fulfillmentIdentifier !== null && !(await unenrolments.isPaidAnew(deps.db, reversed))) {
    const isKnown = await deps.lms.cancelFulfillment(fulfillmentIdentifier);
    if (!isKnown) deps.log.warn({ transaction: uuid }, 'the LMS does not know the enrolment of a reversed transaction');
  }
  await unenrolments.close(deps.db, uuid, deps.clock());
}

/** Ends the enrolment now if the LMS plays along. Otherwise the reversal stays open for `reconcileUnenrolments`. */
export async function tryToUnenrol(deps: Deps, reversed: LedgerTransaction): Promise<void> {
  if (!(await unenrolments.isOpen(deps.db, reversed.uuid))) return;
  const end = await orUnknown(unenrol(deps, reversed));
  if (isUnknown(end)) noteStillEnrolled(deps, reversed.uuid, end.cause);
}

const noteStillEnrolled = (deps: Pick<Deps, 'log'>, transaction: string, err: Unknown['cause']): void =>
  deps.log.warn({ transaction, err }, 'the learner of a reversed transaction stays enrolled');

/**
 * Ends the enrolments that a crash or a silent LMS left after a reversal, oldest reversal first; part of the job
 * `redemptions.reconcile`. Returns how many it looked at and how many are still open.
 */
export async function reconcileUnenrolments(
  deps: Deps,
  options: { olderThanMs?: number; limit?: number } = {},
): Promise<{ found: number; open: number }> {
  const before = new Date(deps.clock().getTime() - (options.olderThanMs ?? ABANDONED_MS));
  const left = await unenrolments.openBefore(deps.db, before, options.limit ?? 1_000);
  return finishEach(
    left,
    async (uuid) => {
      const reversed = await findTransaction(deps.db, uuid);
      if (reversed && (await unenrolments.isOpen(deps.db, uuid))) await unenrol(deps, reversed);
    },
    (transaction, err) => noteStillEnrolled(deps, transaction, err),
  );
}

export const countUnenrolments = unenrolments.count;
