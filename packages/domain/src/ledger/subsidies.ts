import { type Connection, defineSubject, type Transaction } from '@enterprise-access/db';
import { orderTerms } from '../kernel/order.ts';
import { subsidyOrders } from './contract.ts';
import { containing, ledgerKey } from './rules.ts';

/** A stored subsidy. */
export interface SubsidyRecord {
  readonly uuid: string;
  readonly title: string | null;
  readonly startingBalanceCents: number;
  readonly ledgerUuid: string;
  readonly unit: string;
  readonly referenceId: string | null;
  readonly referenceType: string;
  readonly enterpriseCustomerUuid: string;
  readonly internalOnly: boolean;
  readonly revenueCategory: string;
  readonly activeDatetime: Date | null;
  readonly expirationDatetime: Date | null;
  readonly isSoftDeleted: boolean;
  readonly created: Date;
  readonly modified: Date;
}

export const subsidySubject = defineSubject<SubsidyRecord>({
  kind: 'subsidy',
  table: 'subsidies',
  customer: 'enterpriseCustomerUuid',
  ignored: ['created', 'modified'],
});

/** A subsidy with the totals of its ledger. */
export interface SubsidyWithTotals extends SubsidyRecord {
  readonly balanceCents: number;
  readonly depositsCents: number;
}

const columns = {
  uuid: 's.uuid',
  title: 's.title',
  startingBalanceCents: 's.starting_balance_cents',
  ledgerUuid: 's.ledger_uuid',
  unit: 's.unit',
  referenceId: 's.reference_id',
  referenceType: 's.reference_type',
  enterpriseCustomerUuid: 's.enterprise_customer_uuid',
  internalOnly: 's.internal_only',
  revenueCategory: 's.revenue_category',
  activeDatetime: 's.active_datetime',
  expirationDatetime: 's.expiration_datetime',
  isSoftDeleted: 's.is_soft_deleted',
  created: 's.created',
  modified: 's.modified',
} as const;

const totals = { balanceCents: 'l.balance_cents', depositsCents: 'l.deposits_cents' } as const;

const standing = (db: Connection) =>
  db('subsidies as s').join('ledgers as l', 'l.uuid', 's.ledger_uuid').where('s.is_soft_deleted', false);

export async function findSubsidy(db: Connection, uuid: string): Promise<SubsidyWithTotals | null> {
  const row: SubsidyWithTotals | undefined = await standing(db)
    .where('s.uuid', uuid)
    .first({ ...columns, ...totals });
  return row ?? null;
}

/** The public subsidy that was made for this reference (R-LED-12). */
export async function findByReference(
  db: Connection,
  referenceType: string,
  referenceId: string,
): Promise<SubsidyWithTotals | null> {
  const row: SubsidyWithTotals | undefined = await standing(db)
    .where({ 's.reference_type': referenceType, 's.reference_id': referenceId, 's.internal_only': false })
    .first({ ...columns, ...totals });
  return row ?? null;
}

/** The row, held until the transaction ends. */
export async function findSubsidyForUpdate(trx: Transaction, uuid: string): Promise<SubsidyRecord | null> {
  const row: SubsidyRecord | undefined = await trx('subsidies as s')
    .where({ 's.uuid': uuid, 's.is_soft_deleted': false })
    .forUpdate()
    .first(columns);
  return row ?? null;
}

const NEWEST_FIRST = { field: 'created', direction: 'desc' } as const;

export interface SubsidyFilter {
  readonly enterpriseCustomerUuid?: string | undefined;
  readonly uuid?: string | undefined;
  readonly title?: string | undefined;
  readonly sortBy: string;
}

/** One page and the number of all. */
export async function pageOfSubsidies(db: Connection, filter: SubsidyFilter, slice: { offset: number; limit: number }) {
  const matching = standing(db).modify((query) => {
    if (filter.enterpriseCustomerUuid !== undefined)
      query.where('s.enterprise_customer_uuid', filter.enterpriseCustomerUuid);
    if (filter.uuid !== undefined) query.where('s.uuid', filter.uuid);
    if (filter.title !== undefined) query.whereRaw("lower(s.title) like ? escape '!'", [containing(filter.title)]);
  });
  const terms = orderTerms(filter.sortBy, subsidyOrders, NEWEST_FIRST);
  const [counted, rows] = await Promise.all([
    matching.clone().count({ count: '*' }).first(),
    matching
      .clone()
      .select({ ...columns, ...totals })
      .orderBy([
        ...terms.map(({ field, direction }) => ({ column: `s.${field}`, order: direction })),
        { column: 's.uuid', order: terms[0].direction },
      ])
      .offset(slice.offset)
      .limit(slice.limit),
  ]);
  return { rows: rows as SubsidyWithTotals[], count: Number(counted?.count ?? 0) };
}

const rowOf = (record: SubsidyRecord) =>
  Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [column.slice(2), record[name as keyof SubsidyRecord]]),
  );

/** Stores a subsidy and its empty ledger. */
export async function insertSubsidy(trx: Transaction, record: SubsidyRecord): Promise<void> {
  const { uuid, ledgerUuid, unit, created } = record;
  const idempotency_key = ledgerKey(uuid);
  await trx('ledgers').insert({ uuid: ledgerUuid, idempotency_key, unit, created, modified: created });
  await trx('subsidies').insert(rowOf(record));
}

export async function replaceSubsidy(trx: Transaction, record: SubsidyRecord): Promise<void> {
  const { uuid: _uuid, ...changes } = rowOf(record);
  await trx('subsidies').where({ uuid: record.uuid }).update(changes);
}
