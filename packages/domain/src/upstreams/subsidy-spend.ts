import type { LedgerTransaction, Settlement, Spend } from '../kernel/ports/ledger.ts';
import { UpstreamFailure, UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { type Books, fromBooks, SERVICE, transactionsPath } from './subsidy-books.ts';
import { refusalOf, replyRefusal } from './subsidy-refusals.ts';
import { transactionReply } from './subsidy-replies.ts';

async function create(call: Upstream, spend: Spend, timeoutMs: number): Promise<LedgerTransaction> {
  const made = await call({
    method: 'POST',
    path: transactionsPath(spend.subsidyUuid),
    about: [spend.contentKey, `learner ${spend.lmsUserId}`],
    repeatable: true,
    timeoutMs,
    body: {
      subsidy_uuid: spend.subsidyUuid,
      lms_user_id: spend.lmsUserId,
      content_key: spend.contentKey,
      subsidy_access_policy_uuid: spend.policyUuid,
      metadata: spend.metadata,
      idempotency_key: spend.idempotencyKey,
      // Send the price that our budget has deducted; otherwise the service looks it up itself (R-LED-14).
      requested_price_cents: spend.priceCents,
    },
    reply: transactionReply,
  });
  return { ...made, subsidyUuid: spend.subsidyUuid };
}

/**
 * Spends in the remote ledger. A refusal does not prove that nothing was spent: the answer to an earlier attempt may
 * have been lost, and the service checks window, balance and permission before the key. So the transactions in the
 * ledger decide.
 */
export async function settleSpend(call: Upstream, books: Books, spend: Spend, timeoutMs: number): Promise<Settlement> {
  try {
    return settlementOf(spend, await create(call, spend, timeoutMs));
  } catch (error) {
    if (!(error instanceof UpstreamRefusal)) throw error;
    const rows = await fromBooks(books.ofLearner(spend.subsidyUuid, spend.lmsUserId, [spend.contentKey]));
    const made = rows.find(({ idempotencyKey }) => idempotencyKey === spend.idempotencyKey);
    if (made && made.state !== 'failed') return settlementOf(spend, made);
    // A 403 does not tell whether an earlier attempt has spent.
    if (error.status === 403) throw new UpstreamFailure(SERVICE, 'does not let us spend', { cause: error });
    return replyRefusal(error);
  }
}

/** The result of the spend according to its transaction in the ledger. */
function settlementOf(spend: Spend, made: LedgerTransaction): Settlement {
  if (made.state === 'created' || made.state === 'pending') {
    // Pending: the value is deducted and the learner may be enrolled, so the result is unknown.
    throw new UpstreamFailure(SERVICE, 'has not finished the transaction yet');
  }
  if (made.state === 'failed') return refusalOf(422, null);
  // It was reversed before we learned that it was spent.
  if (made.reversal?.state === 'committed') return refusalOf(422, 'transaction_reversed');
  if (made.idempotencyKey !== spend.idempotencyKey) return { outcome: 'standing', transaction: made };
  return {
    outcome: 'committed',
    transactionUuid: made.uuid,
    fulfillmentIdentifier: made.fulfillmentIdentifier,
    remote: made,
  };
}

/** The transaction for the reply; without events, because the service publishes its own. */
export function rowOf(settlement: Settlement): LedgerTransaction | null {
  if (settlement.outcome === 'standing') return settlement.transaction;
  return settlement.outcome === 'committed' ? (settlement.remote ?? null) : null;
}
