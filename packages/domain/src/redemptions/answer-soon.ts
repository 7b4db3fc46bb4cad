import { DomainError } from '../kernel/errors.ts';
import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { TransactionView } from '../ledger/contract.ts';
import { viewOfTransaction } from '../ledger/index.ts';
import { redemptionPending } from './contract.ts';

type Deps = Pick<Runtime, 'ledger' | 'log' | 'settings'>;

/** Learner and content of a redemption. */
interface Subject {
  readonly subsidyUuid: string;
  readonly lmsUserId: number;
  readonly contentKey: string;
}

/** How long a redeem waits for its result before it returns the pending transaction, in ms. */
export const ANSWER_WITHIN_MS = 4_000;

const isPending = (error: unknown): boolean =>
  error instanceof DomainError && error.spec.code === redemptionPending.code;
const isInFlight = ({ state }: LedgerTransaction): boolean => state === 'created' || state === 'pending';

/**
 * Returns the result of a redeem, or its pending transaction if the result takes too long: callers then poll its
 * state. The work continues in the background; if it cannot finish, the redemption stays pending for reconciliation.
 */
export async function answerSoon(
  deps: Deps,
  subject: Subject,
  work: Promise<TransactionView>,
  withinMs = ANSWER_WITHIN_MS,
): Promise<TransactionView> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, withinMs, null);
  });
  // Avoids an unhandled rejection; the failure is still seen where `work` is awaited below.
  work.catch(() => undefined);
  try {
    const ended = await Promise.race([work, late]);
    if (ended !== null) return ended;
    const inFlight = await findInFlight(deps, subject);
    // Nothing has been spent yet, or the work has just finished.
    if (inFlight === null) return await work;
    work.catch((err: unknown) => {
      if (!isPending(err))
        deps.log.warn(
          { err, transaction: inFlight.uuid },
          'a redemption took too long; its pending transaction was returned',
        );
    });
    return viewOfTransaction(inFlight, deps.settings);
  } catch (error) {
    const inFlight = isPending(error) ? await findInFlight(deps, subject) : null;
    if (inFlight === null) throw error;
    return viewOfTransaction(inFlight, deps.settings);
  } finally {
    clearTimeout(timer);
  }
}

/** The pending transaction in the ledger; null if there is none or the ledger does not answer. */
async function findInFlight(deps: Deps, subject: Subject): Promise<LedgerTransaction | null> {
  const { subsidyUuid, lmsUserId, contentKey } = subject;
  try {
    const query = { subsidyUuids: [subsidyUuid], lmsUserId, contentKeys: [contentKey] };
    return (await deps.ledger.transactions(query)).find(isInFlight) ?? null;
  } catch (error) {
    if (error instanceof UpstreamFailure || error instanceof UpstreamRefusal) return null;
    throw error;
  }
}
