import { type Connection, dialectOf } from '@enterprise-access/db';
import type { Knex } from 'knex';
import type { OrderTerm } from '../../kernel/order.ts';
import type { PlanRow } from '../rules.ts';
import { selectLicenses } from '../store.ts';
import { licenses } from '../tables.ts';
import type { LicenseRow } from '../view.ts';
import { type LicenseStatus, licenseStatuses } from '../view-contract.ts';

/** Filters of the licences of a plan. */
export interface LicenseFilter {
  readonly statuses: readonly LicenseStatus[];
  /** Leave out revoked licences whose address was removed. */
  readonly ignoreNullEmails: boolean;
  /** Part of the address. */
  readonly search?: string | undefined;
}

export const orders = ['user_email', 'status', 'activation_date', 'last_remind_date'] as const;
export type LicenseOrder = (typeof orders)[number];

const TABLE = licenses.table;
const sortColumn = {
  user_email: 'user_email_key',
  status: 'user_email_key',
  activation_date: 'activation_date',
  last_remind_date: 'last_remind_date',
} as const satisfies Record<LicenseOrder, string>;

/** Parts of a search: separated by blanks and commas; all of them must be in the address. */
export const searchParts = (search: string): string[] => search.split(/[\s,]+/).filter(Boolean);

const containing = (part: string): string =>
  `%${part.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[!%_]/g, '!$&')}%`;

function inStatus(db: Connection, planUuid: string, filter: LicenseFilter, status: LicenseStatus): Knex.QueryBuilder {
  const query = db(TABLE).where({ subscription_plan_uuid: planUuid, status });
  if (filter.ignoreNullEmails && status !== 'unassigned') query.whereNotNull('user_email_key');
  for (const part of searchParts(filter.search ?? ''))
    query.whereRaw(`user_email_key like ? escape '!'`, [containing(part)]);
  return query;
}

/** Null first when ascending, as the old service's database sorts; PostgreSQL must be told. */
const orderBy = (db: Connection, query: Knex.QueryBuilder, terms: readonly { column: string; direction: string }[]) => {
  const isPostgres = dialectOf(db) === 'postgres';
  for (const { column, direction } of terms) {
    const nulls = isPostgres ? ` nulls ${direction === 'asc' ? 'first' : 'last'}` : '';
    query.orderByRaw(`?? ${direction === 'asc' ? 'asc' : 'desc'}${nulls}`, [column]);
  }
  return query;
};

/**
 * A page of a plan's licences. Each status is a range of an index that has the requested order; the ranges are read as
 * far as the page needs and merged.
 */
export async function pageOfLicenses(
  db: Connection,
  planUuid: string,
  filter: LicenseFilter,
  { field, direction }: OrderTerm<LicenseOrder>,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<LicenseRow[]> {
  const column = sortColumn[field];
  const within = [
    { column, direction },
    { column: 'uuid', direction },
  ];
  const total = field === 'status' ? [{ column: 'status', direction }, ...within] : within;
  const names = ['uuid', 'status', column];
  const arms = filter.statuses.map((status) => {
    const arm = orderBy(db, inStatus(db, planUuid, filter, status).select(names), within).limit(offset + limit);
    return db.from(arm.as('arm')).select(names);
  });
  const [first, ...others] = arms;
  if (!first) return [];
  const merged = others.length > 0 ? first.unionAll(others) : first;
  const page = orderBy(db, db.from(merged.as('k')).select(names), total)
    .offset(offset)
    .limit(limit);
  const joined = selectLicenses(db).join(page.as('page'), 'page.uuid', `${TABLE}.uuid`);
  return orderBy(
    db,
    joined,
    total.map((term) => ({ ...term, column: `page.${term.column}` })),
  ) as unknown as Promise<LicenseRow[]>;
}

/** Number of matching licences by status: from the plan's counters, unless a search asks for more. */
export async function countsByStatus(
  db: Connection,
  plan: PlanRow,
  filter: LicenseFilter,
): Promise<Map<LicenseStatus, number>> {
  if (searchParts(filter.search ?? '').length > 0) {
    const [first, ...others] = filter.statuses.map((status) =>
      inStatus(db, plan.uuid, filter, status)
        .select(db.raw('? as status', [status]))
        .count({ n: '*' }),
    );
    const rows: { status: LicenseStatus; n: number }[] = first ? await first.unionAll(others) : [];
    return new Map(rows.map(({ status, n }) => [status, Number(n)]));
  }
  const counters: Record<LicenseStatus, number> = {
    activated: plan.activatedCount,
    assigned: plan.assignedCount,
    revoked: plan.revokedCount - (filter.ignoreNullEmails ? plan.retiredCount : 0),
    unassigned: plan.unassignedCount,
  };
  return new Map(filter.statuses.map((status) => [status, counters[status]]));
}

/** Statuses of a comma-separated list; unknown words match nothing, blank is no filter. */
export function statusesIn(text: string | undefined): readonly LicenseStatus[] {
  if (text === undefined || text === '') return licenseStatuses;
  const words = new Set(text.split(','));
  return licenseStatuses.filter((status) => words.has(status));
}
