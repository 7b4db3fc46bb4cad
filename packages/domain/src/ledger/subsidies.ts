import type { Connection, Transaction } from '@enterprise-access/db';
import { orderTerms } from '../kernel/order.ts';
import { subsidyOrders } from './contract.ts';
import { containing, ledgerKey } from './rules.ts';
import { ledgers, type SubsidyRecord, subsidies } from './tables.ts';

/** A subsidy with the totals of its ledger. */
export interface SubsidyWithTotals extends SubsidyRecord {
  readonly balanceCents: number;
  readonly depositsCents: number;
}

const ofLedger = ledgers.aliased('l');
const columns = subsidies.aliased('s');
const totals = { balanceCents: ofLedger.balanceCents, depositsCents: ofLedger.depositsCents };

const standing = (db: Connection) =>
  db('subsidies as s').join('ledgers as l', 'l.uuid', 's.ledger_uuid').where('s.is_soft_deleted', false);

export async function findSubsidy(db: Connection, uuid: string): Promise<SubsidyWithTotals | null> {
  const row: SubsidyWithTotals | undefined = await standing(db)
    .where('s.uuid', uuid)
    .first({ ...columns, ...totals });
  return row ?? null;
}

/** The public subsidy with this reference (R-LED-12). */
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

/** The row, locked until the transaction ends. */
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

/** Stores a subsidy and its empty ledger. */
export async function insertSubsidy(trx: Transaction, record: SubsidyRecord): Promise<void> {
  const { uuid, ledgerUuid, enterpriseCustomerUuid, unit, created } = record;
  const idempotencyKey = ledgerKey(uuid);
  await trx(ledgers.table).insert(
    ledgers.encode({ uuid: ledgerUuid, enterpriseCustomerUuid, idempotencyKey, unit, created, modified: created }),
  );
  await subsidies.insert(trx, record);
}

/** Stores a changed subsidy that the caller holds. */
export const changeSubsidy = (trx: Transaction, before: SubsidyRecord, after: SubsidyRecord): Promise<void> =>
  subsidies.change(trx, before, after);
