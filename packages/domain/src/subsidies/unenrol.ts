import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import { finishEach, isUnknown, orUnknown, type Unknown } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { findTransaction, unenrolments } from '../ledger/index.ts';
import { ABANDONED_MS } from '../redemptions/index.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'lms' | 'log'>;

/**
 * Ends the enrollment of a reversed transaction (R-LED-19), outside of any database transaction. The reversal row is
 * the stored intent: while `unenrolled` is null, the enrollment must still be ended. Idempotent.
 */
async function unenrol(deps: Deps, reversed: LedgerTransaction): Promise<void> {
  const { uuid, fulfillmentIdentifier } = reversed;
  if (fulfillmentIdentifier !== null && !(await unenrolments.isPaidAnew(deps.db, reversed))) {
    const isKnown = await deps.lms.cancelFulfillment(fulfillmentIdentifier);
    if (!isKnown)
      deps.log.warn({ transaction: uuid }, 'the LMS does not know the enrollment of a reversed transaction');
  }
  await unenrolments.close(deps.db, uuid, deps.clock());
}

/** Tries to end the enrollment; if the LMS fails, `reconcileUnenrolments` retries it. */
export async function tryToUnenrol(deps: Deps, reversed: LedgerTransaction): Promise<void> {
  if (!(await unenrolments.isOpen(deps.db, reversed.uuid))) return;
  const end = await orUnknown(unenrol(deps, reversed));
  if (isUnknown(end)) noteStillEnrolled(deps, reversed.uuid, end.cause);
}

const noteStillEnrolled = (deps: Pick<Deps, 'log'>, transaction: string, err: Unknown['cause']): void =>
  deps.log.warn({ transaction, err }, 'the enrollment of a reversed transaction could not be ended yet');

/**
 * Ends enrollments that a crash or an outage of the LMS left open after a reversal, oldest reversal first; part of
 * the job `redemptions.reconcile`. Returns how many were found and how many are still open.
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
