import { type Connection, dialectOf } from '@enterprise-access/db';
import type { VisibleCustomers } from '../kernel/actor.ts';
import { foldEmail } from '../kernel/email.ts';
import type { OrderTerm } from '../kernel/order.ts';
import { actionStatuses, learnerRequestStates, type requestOrders, states } from './contract.ts';
import { searchWords, wordsIn } from './rules.ts';
import { count, query, type RequestRow } from './store.ts';

/** Filters of a list; all given ones must match. */
export interface Filter {
  readonly uuid?: string | undefined;
  readonly enterpriseCustomerUuid?: string | undefined;
  readonly userEmail?: string | undefined;
  readonly courseId?: string | undefined;
  readonly policyUuid?: string | undefined;
  readonly state?: string | undefined;
  readonly search?: string | undefined;
  readonly latestActionStatus?: string | undefined;
  readonly learnerRequestState?: string | undefined;
}

/** Whose requests the caller can see: those of customers, and the caller's own (R-REQ-80). */
export interface Visibility {
  readonly customers: VisibleCustomers;
  readonly userId: number;
}

const containing = (word: string): string => `%${foldEmail(word).replace(/[!%_]/g, '!$&')}%`;

function matching(rows: ReturnType<typeof query>, filter: Filter, { customers, userId }: Visibility) {
  if (customers !== 'all')
    rows.where((visible) => visible.where('user_id', userId).orWhereIn('enterprise_customer_uuid', [...customers]));
  if (filter.uuid !== undefined) rows.where('uuid', filter.uuid);
  if (filter.enterpriseCustomerUuid !== undefined)
    rows.where('enterprise_customer_uuid', filter.enterpriseCustomerUuid);
  if (filter.policyUuid !== undefined) rows.where('policy_uuid', filter.policyUuid);
  if (filter.userEmail !== undefined) rows.where('user_email_key', foldEmail(filter.userEmail));
  if (filter.courseId !== undefined) rows.where('course_id', filter.courseId);
  const words: [string, readonly string[] | null][] = [
    ['state', wordsIn(filter.state, states)],
    ['latest_action_status', wordsIn(filter.latestActionStatus, actionStatuses)],
    ['learner_request_state', wordsIn(filter.learnerRequestState, learnerRequestStates)],
  ];
  for (const [column, wanted] of words) if (wanted !== null) rows.whereIn(column, [...wanted]);
  for (const word of searchWords(filter.search ?? ''))
    rows.where((either) =>
      either
        .whereRaw(`user_email_key like ? escape '!'`, [containing(word)])
        .orWhereRaw(`lower(course_title) like ? escape '!'`, [containing(word)]),
    );
  return rows;
}

type Order = OrderTerm<(typeof requestOrders)[number]>;

const columns: Readonly<Record<Order['field'], { readonly column: string; readonly isNullable?: true }>> = {
  created: { column: 'created' },
  reviewed_at: { column: 'reviewed_at', isNullable: true },
  course_price: { column: 'course_price_cents', isNullable: true },
  state: { column: 'state' },
  user__email: { column: 'user_email_key' },
  course_title: { column: 'course_title', isNullable: true },
  latest_action_time: { column: 'latest_action_at', isNullable: true },
  latest_action_type: { column: 'latest_action_type', isNullable: true },
  latest_action_status: { column: 'latest_action_status', isNullable: true },
  learner_request_state: { column: 'learner_request_state', isNullable: true },
  state_sort_order: { column: 'state_sort_order' },
};

/** One page in a total order; null is the smallest value on both dialects. */
export async function pageOf(
  db: Connection,
  filter: Filter,
  visibility: Visibility,
  terms: readonly [Order, ...Order[]],
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<RequestRow[]> {
  const isPostgres = dialectOf(db) === 'postgres';
  const rows = matching(query(db), filter, visibility).offset(offset).limit(limit);
  for (const { field, direction } of terms) {
    const { column, isNullable = false } = columns[field];
    const nulls = isPostgres && isNullable ? ` nulls ${direction === 'asc' ? 'first' : 'last'}` : '';
    rows.orderByRaw(`${column} ${direction}${nulls}`);
  }
  return rows.orderBy('uuid', terms[0].direction);
}

/** Number of matching requests by one of the columns, the largest first. */
export async function countsBy(
  db: Connection,
  column: 'state' | 'learner_request_state',
  filter: Filter,
  visibility: Visibility,
): Promise<{ readonly value: string | null; readonly count: number }[]> {
  const rows = (await matching(count(db), filter, visibility)
    .groupBy(column)
    .select(db.raw(`${column} as value`))
    .select(db.raw('count(*) as count'))) as unknown as { value: string | null; count: number }[];
  return rows
    .map(({ value, count: n }) => ({ value, count: Number(n) }))
    .toSorted((a, b) => b.count - a.count || (String(a.value) < String(b.value) ? -1 : 1));
}
