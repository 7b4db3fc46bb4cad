import type { Connection } from '@enterprise-access/db';
import type { Knex } from 'knex';
import { foldEmail } from '../kernel/email.ts';
import type { LearnerState, State } from './contract.ts';
import { classes, classesIn, searchTerms } from './rules.ts';
import { type AssignmentRow, select } from './store.ts';

/** Filters of a list; all given filters must match. */
export interface Filter {
  readonly contentKey?: readonly string[] | undefined;
  readonly learnerEmail?: readonly string[] | undefined;
  readonly lmsUserId?: readonly number[] | undefined;
  readonly state?: readonly State[] | undefined;
  readonly learnerState?: readonly string[] | undefined;
  readonly search?: string | undefined;
}

export interface Order {
  readonly by: 'recent_action_at' | 'status_class' | 'price_cents';
  readonly direction: 'asc' | 'desc';
}

/** Parses the sort order: the first known one, default latest action first. Quantities are negative prices. */
export function orderOf(ordering = ''): Order {
  for (const name of ordering.split(',').map((each) => each.trim())) {
    const isDescending = name.startsWith('-');
    const direction = isDescending ? 'desc' : 'asc';
    switch (isDescending ? name.slice(1) : name) {
      case 'recent_action_time':
        return { by: 'recent_action_at', direction };
      case 'learner_state_sort_order':
        return { by: 'status_class', direction };
      case 'content_quantity':
        return { by: 'price_cents', direction: isDescending ? 'asc' : 'desc' };
    }
  }
  return { by: 'recent_action_at', direction: 'desc' };
}

const TABLE = 'assignments';
/** Beyond this many ranges, merging them costs more than it saves. */
const MAXIMUM_RANGES = 64;

const isOn = (items: readonly unknown[] | undefined): boolean => items !== undefined;

/** Whether the counters can answer the filter: they exist per content and class, not per learner or search term. */
const isCounted = (filter: Filter): boolean =>
  !isOn(filter.learnerEmail) && !isOn(filter.lmsUserId) && termsOf(filter).length === 0;

const termsOf = ({ search }: Filter): string[] => (search === undefined ? [] : searchTerms(search));

const containing = (term: string): string => `%${term.replace(/[!%_]/g, '!$&')}%`;

/** Applies all filters, for queries that an index has already narrowed. */
function applyAll(query: Knex.QueryBuilder, configurationUuid: string, filter: Filter): Knex.QueryBuilder {
  query.where(`${TABLE}.assignment_configuration_uuid`, configurationUuid);
  if (filter.contentKey) query.whereIn(`${TABLE}.content_key`, filter.contentKey);
  if (filter.learnerEmail) query.whereIn(`${TABLE}.learner_email_key`, filter.learnerEmail.map(foldEmail));
  if (filter.lmsUserId) query.whereIn(`${TABLE}.lms_user_id`, filter.lmsUserId);
  if (filter.state || filter.learnerState)
    query.whereIn(`${TABLE}.status_class`, classesIn(filter.state, filter.learnerState));
  for (const term of termsOf(filter)) {
    const pattern = containing(term);
    query.where((either) =>
      either
        .whereRaw(`lower(${TABLE}.content_title) like ? escape '!'`, [pattern])
        .orWhereRaw(`${TABLE}.learner_email_key like ? escape '!'`, [pattern]),
    );
  }
  return query;
}

/** Columns of a total order; the indexes end in the same columns. */
const orderColumns = ({ by, direction }: Order) =>
  (by === 'status_class' ? ['status_class', 'recent_action_at', 'uuid'] : [by, 'uuid']).map((column) => ({
    column,
    order: direction,
  }));

/** A list is a union of ranges, each of which an index returns in the requested order. */
interface Range {
  readonly contentKey?: string;
  readonly statusClass?: number;
}

function rangesOf(filter: Filter, order: Order): Range[] | null {
  const hasClasses = isOn(filter.state) || isOn(filter.learnerState);
  const contents = filter.contentKey ? [...new Set(filter.contentKey)] : [undefined];
  const inClasses = classesIn(filter.state, filter.learnerState);
  // Content indexes include the class; lists of all contents have indexes without it.
  const needsClasses = hasClasses || filter.contentKey !== undefined;
  const statusClasses = needsClasses && !(order.by === 'status_class' && !hasClasses) ? inClasses : [undefined];
  const ranges = contents.flatMap((contentKey) =>
    statusClasses.map(
      (statusClass): Range => ({
        ...(contentKey === undefined ? {} : { contentKey }),
        ...(statusClass === undefined ? {} : { statusClass }),
      }),
    ),
  );
  return ranges.length > MAXIMUM_RANGES ? null : ranges;
}

/** One page of rows in a total order. Reads each index range only as far as needed, and merges them. */
export async function pageOf(
  db: Connection,
  configurationUuid: string,
  filter: Filter,
  order: Order,
  slice: { readonly offset: number; readonly limit: number },
): Promise<AssignmentRow[]> {
  const ranges = isCounted(filter) ? rangesOf(filter, order) : null;
  if (ranges?.length === 0) return [];
  const columns = orderColumns(order);
  const names = columns.map(({ column }) => column);
  const keys =
    ranges === null
      ? applyAll(db(TABLE), configurationUuid, filter).select(names.map((name) => `${TABLE}.${name}`))
      : merged(db, configurationUuid, ranges, { columns, names, upTo: slice.offset + slice.limit });
  const page = db.from(keys.as('k')).select(names).orderBy(columns).offset(slice.offset).limit(slice.limit);
  const ordered = columns.map(({ column, order: direction }) => ({ column: `page.${column}`, order: direction }));
  return select(db).join(page.as('page'), 'page.uuid', 'assignments.uuid').orderBy(ordered);
}

function merged(
  db: Connection,
  configurationUuid: string,
  ranges: readonly Range[],
  { columns, names, upTo }: { columns: ReturnType<typeof orderColumns>; names: string[]; upTo: number },
): Knex.QueryBuilder {
  const arms = ranges.map(({ contentKey, statusClass }) => {
    const arm = db(TABLE).where('assignment_configuration_uuid', configurationUuid);
    if (contentKey !== undefined) arm.where('content_key', contentKey);
    if (statusClass !== undefined) arm.where('status_class', statusClass);
    // Do not order by columns that are constant in the range; otherwise the database does not use the index order.
    const free = columns.filter(({ column }) => statusClass === undefined || column !== 'status_class');
    return db.from(arm.select(names).orderBy(free).limit(upTo).as('arm')).select(names);
  });
  const [first, ...others] = arms;
  if (!first) throw new Error('The list has no range.');
  return first.unionAll(others);
}

/** Number of rows per class; from the counters if possible. */
async function classCounts(db: Connection, configurationUuid: string, filter: Filter): Promise<Map<number, number>> {
  const rows: { status_class: number; n: number }[] = isCounted(filter)
    ? await db('assignment_counts')
        .where('assignment_configuration_uuid', configurationUuid)
        .whereIn('content_key', filter.contentKey ? [...new Set(filter.contentKey)] : [''])
        .groupBy('status_class')
        .select('status_class')
        .sum({ n: 'n' })
    : await applyAll(db(TABLE), configurationUuid, { ...filter, state: undefined, learnerState: undefined })
        .groupBy('status_class')
        .select('status_class')
        .count({ n: '*' });
  return new Map(rows.map((row) => [row.status_class, Number(row.n)]));
}

export interface Counts {
  /** Rows that the whole filter matches. */
  readonly count: number;
  /** Counts that ignore the filters by state (R-ADD-20), highest first. */
  readonly learnerStates: { readonly learnerState: LearnerState; readonly count: number }[];
}

export async function countsOf(db: Connection, configurationUuid: string, filter: Filter): Promise<Counts> {
  const counts = await classCounts(db, configurationUuid, filter);
  const matching = classesIn(filter.state, filter.learnerState);
  const byState = new Map<LearnerState, number>();
  classes.forEach(({ learnerState }, at) => {
    if (learnerState !== null) byState.set(learnerState, (byState.get(learnerState) ?? 0) + (counts.get(at) ?? 0));
  });
  return {
    count: matching.reduce((sum, statusClass) => sum + (counts.get(statusClass) ?? 0), 0),
    learnerStates: [...byState]
      .filter(([, count]) => count > 0)
      .map(([learnerState, count]) => ({ learnerState, count }))
      .sort((a, b) => b.count - a.count),
  };
}

/** The next matching rows in one of the states, by uuid, to iterate over all of them. */
export const nextMatching = (
  db: Connection,
  configurationUuid: string,
  filter: Filter,
  states: readonly State[],
  after: { readonly uuid: string | null; readonly limit: number },
): Promise<{ uuid: string }[]> =>
  applyAll(db(TABLE), configurationUuid, filter)
    .whereIn('assignments.state', states)
    .modify((query) => {
      if (after.uuid !== null) query.where('assignments.uuid', '>', after.uuid);
    })
    .orderBy('assignments.uuid')
    .limit(after.limit)
    .select('assignments.uuid');
