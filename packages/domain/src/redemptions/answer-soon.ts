import { DomainError } from '../kernel/errors.ts';
import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { TransactionView } from '../ledger/contract.ts';
import { viewOfTransaction } from '../ledger/index.ts';
import { redemptionPending } from './contract.ts';

type Deps = Pick<Runtime, 'ledger' | 'log' | 'settings'>;

/** What is redeemed. */
interface Subject {
  readonly subsidyUuid: string;
  readonly lmsUserId: number;
  readonly contentKey: string;
}

/** How long a redeem waits for its end before it answers with the transaction in flight, in ms. */
export const ANSWER_WITHIN_MS = 4_000;

const isPending = (error: unknown): boolean =>
  error instanceof DomainError && error.spec.code === redemptionPending.code;
const isInFlight = ({ state }: LedgerTransaction): boolean => state === 'created' || state === 'pending';

/**
 * The result of a redeem, or its transaction in flight when the end is not known soon: callers poll its state. The work
 * goes on meanwhile; what it cannot finish stays pending for the reconciliation.
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
  // Whoever awaits it below hears of a failure, too.
  work.catch(() => undefined);
  try {
    const ended = await Promise.race([work, late]);
    if (ended !== null) return ended;
    const inFlight = await findInFlight(deps, subject);
    // Nothing was spent yet, or it is over by now.
    if (inFlight === null) return await work;
    work.catch((err: unknown) => {
      if (!isPending(err)) deps.log.warn({ err, transaction: inFlight.uuid }, 'a redemption was not finished in time');
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

/** The ledger's transaction in flight; null when there is none, or the ledger does not say. */
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
