import { learnerContent, type Subsidy, type Transaction, type TransactionState } from './ledger.ts';
import type { Query } from './query.ts';
import { Refusal } from './refusal.ts';

const STATES: ReadonlySet<string> = new Set<TransactionState>(['created', 'pending', 'committed', 'failed']);

/** The transactions that a listing asks for, in its order (SUB-08). */
export function transactionsOf(subsidy: Subsidy, query: Query): readonly Transaction[] {
  const lmsUserId = query.one('lms_user_id');
  const [contentKey] = query.contentKeys('content_key');
  const policy = query.one('subsidy_access_policy_uuid');
  const states = new Set(query.all('state'));
  for (const state of states) {
    if (STATES.has(state)) continue;
    throw new Refusal(400, { state: [`Select a valid choice. ${state} is not one of the available choices.`] });
  }
  const text = query.one('search')?.toLowerCase();
  const rows = candidates(subsidy, lmsUserId, contentKey, policy).filter(
    (row) =>
      (lmsUserId === undefined || row.lms_user_id === Number(lmsUserId)) &&
      (contentKey === undefined || row.content_key === contentKey) &&
      (policy === undefined || row.subsidy_access_policy_uuid === policy) &&
      (states.size === 0 || states.has(row.state)) &&
      (!text || `${row.lms_user_email ?? ''}\n${row.content_title ?? ''}`.toLowerCase().includes(text)),
  );
  return ordered(rows, query.one('ordering') ?? '-created');
}

/** The smallest indexed list that holds all matches. */
function candidates(
  subsidy: Subsidy,
  lmsUserId: string | undefined,
  contentKey: string | undefined,
  policy: string | undefined,
): readonly Transaction[] {
  if (lmsUserId !== undefined && contentKey !== undefined) {
    return subsidy.byLearnerContent.get(learnerContent(Number(lmsUserId), contentKey)) ?? [];
  }
  if (lmsUserId !== undefined) return subsidy.byLearner.get(Number(lmsUserId)) ?? [];
  if (policy !== undefined) return subsidy.byPolicy.get(policy) ?? [];
  return subsidy.transactions;
}

/** Rows come in the order of their creation, so that this order needs no sorting. */
function ordered(rows: readonly Transaction[], ordering: string): readonly Transaction[] {
  if (ordering === 'created') return rows;
  if (ordering === 'quantity') return rows.toSorted((a, b) => a.quantity - b.quantity);
  if (ordering === '-quantity') return rows.toSorted((a, b) => b.quantity - a.quantity);
  return rows.toReversed();
}

/** Sum over the rows, with what was given back. */
export const totalQuantity = (rows: readonly Transaction[]): number =>
  rows.reduce((sum, row) => sum + row.quantity + (row.reversal?.quantity ?? 0), 0);
