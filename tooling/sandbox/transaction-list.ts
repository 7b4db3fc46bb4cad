import type { Listing } from './envelope.ts';
import { listOf } from './envelope.ts';
import type { Query } from './http.ts';
import { queryText } from './http.ts';
import type { Ledger, Transaction, TransactionState } from './ledger.ts';
import { netQuantity, totalsOf } from './ledger.ts';

const STATES: readonly TransactionState[] = ['created', 'pending', 'committed', 'failed'];

/** A filtered list of transactions with the sum over the whole of it. */
export interface Selection extends Listing<Transaction> {
  totalQuantity: number;
}

/** Rows from the newest on, without copying the list. */
function* newestFirst(rows: readonly Transaction[]): Generator<Transaction, void, undefined> {
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const row = rows[at];
    if (row) yield row;
  }
}

function sorted(rows: Transaction[], ordering: string): Transaction[] {
  // Rows are kept in order of creation, so only the quantity ever needs sorting.
  if (ordering === 'created') return rows;
  if (ordering === 'quantity') return rows.toSorted((a, b) => a.quantity - b.quantity);
  if (ordering === '-quantity') return rows.toSorted((a, b) => b.quantity - a.quantity);
  return rows.toReversed();
}

/** The filters of SUB-08. A policy's list with its total, the commonest question, is answered from running sums. */
export function selectTransactions(ledger: Ledger, query: Query): Selection {
  const wantedStates = new Set(query.many('state'));
  const states = new Set(wantedStates.size === 0 ? STATES : STATES.filter((state) => wantedStates.has(state)));
  const policy = queryText(query, 'subsidy_access_policy_uuid');
  const learner = queryText(query, 'lms_user_id');
  const contentKey = queryText(query, 'content_key')?.replaceAll(' ', '+');
  const search = queryText(query, 'search')?.toLowerCase();
  const ordering = query.one('ordering') ?? '-created';

  const rows =
    learner !== undefined
      ? (ledger.byLearner.get(Number(learner)) ?? [])
      : policy !== undefined
        ? (ledger.byPolicy.get(policy) ?? [])
        : ledger.transactions;

  const plain = learner === undefined && contentKey === undefined && search === undefined;
  if (plain && (ordering === 'created' || ordering === '-created')) {
    const { count, quantity } = totalsOf(ledger, policy ?? null, states);
    const ordered = () => (ordering === 'created' ? rows.values() : newestFirst(rows));
    const page = (start: number, size: number) =>
      ordered()
        .filter((row) => states.has(row.state))
        .drop(start)
        .take(size);
    return { count, totalQuantity: quantity, rows: (start, size) => [...page(start, size)] };
  }

  const chosen = rows.filter(
    (row) =>
      states.has(row.state) &&
      (policy === undefined || row.policyUuid === policy) &&
      (contentKey === undefined || row.contentKey === contentKey) &&
      (search === undefined ||
        [row.lmsUserEmail, row.contentTitle].some((text) => text?.toLowerCase().includes(search))),
  );
  const totalQuantity = chosen.reduce((sum, row) => sum + netQuantity(row), 0);
  return { ...listOf(sorted(chosen, ordering)), totalQuantity };
}
