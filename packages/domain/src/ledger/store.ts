import type { Connection } from '@enterprise-access/db';
import type { Knex } from 'knex';
import { orderTerms } from '../kernel/order.ts';
import type { LedgerTransaction, Reversal, Subsidy, TransactionState } from '../kernel/ports/ledger.ts';
import { transactionOrders } from './contract.ts';
import { callerKey, containing, storedKeysOf } from './rules.ts';
import { ledgerReversals, ledgers, ledgerTransactions, type SubsidyRecord, subsidies } from './tables.ts';

/** A ledger, and whose it is: what its entries name. */
export interface LedgerKey {
  readonly ledgerUuid: string;
  readonly enterpriseCustomerUuid: string;
}

const reversals = ledgerReversals.joined('r');

function reversalOf(raw: object): Reversal | null {
  const row = reversals.decode(raw);
  if (!row) return null;
  const {
    transactionUuid: _transaction,
    enterpriseCustomerUuid: _customer,
    unenrolled: _unenrolled,
    ...reversal
  } = row;
  return reversal;
}

function transactionOf(raw: { readonly subsidyUuid: string }): LedgerTransaction {
  const {
    ledgerUuid: _ledger,
    enterpriseCustomerUuid: _customer,
    isReversed: _is,
    ...row
  } = ledgerTransactions.decode(raw);
  return { ...row, subsidyUuid: raw.subsidyUuid, reversal: reversalOf(raw) };
}

/** Query of transactions with their reversals; the caller adds conditions. */
export const selectTransactions = (db: Connection) =>
  db('ledger_transactions as t')
    .join('subsidies as s', 's.ledger_uuid', 't.ledger_uuid')
    .leftJoin('ledger_reversals as r', 'r.transaction_uuid', 't.uuid')
    .select({ ...ledgerTransactions.aliased('t'), ...reversals.columns, subsidyUuid: 's.uuid' });

export const readTransactions = async (query: ReturnType<typeof selectTransactions>): Promise<LedgerTransaction[]> =>
  ((await query) as { subsidyUuid: string }[]).map(transactionOf);

export async function findTransaction(db: Connection, uuid: string): Promise<LedgerTransaction | null> {
  const [found] = await readTransactions(selectTransactions(db).where('t.uuid', uuid));
  return found ?? null;
}

const ofSubsidy = subsidies.aliased('s');
const ofLedger = ledgers.aliased('l');

export async function findSubsidies(db: Connection, uuids: readonly string[]): Promise<Map<string, Subsidy>> {
  if (uuids.length === 0) return new Map();
  const rows: Subsidy[] = await db('subsidies as s')
    .join('ledgers as l', 'l.uuid', 's.ledger_uuid')
    .whereIn('s.uuid', uuids)
    .where('s.is_soft_deleted', false)
    .select({
      uuid: ofSubsidy.uuid,
      enterpriseCustomerUuid: ofSubsidy.enterpriseCustomerUuid,
      activeDatetime: ofSubsidy.activeDatetime,
      expirationDatetime: ofSubsidy.expirationDatetime,
      balanceCents: ofLedger.balanceCents,
      reservedCents: ofLedger.reservedCents,
      depositsCents: ofLedger.depositsCents,
    });
  return new Map(rows.map((row) => [row.uuid, row]));
}

/** The ledger of a subsidy, also of a hidden one, because its pending transactions must be completed. */
export async function ledgerOf(db: Connection, subsidyUuid: string): Promise<LedgerKey | null> {
  const row: LedgerKey | undefined = await db(subsidies.table)
    .where({ uuid: subsidyUuid })
    .first(subsidies.pick('ledgerUuid', 'enterpriseCustomerUuid'));
  return row ?? null;
}

export async function ownerOf(db: Connection, subsidyUuid: string): Promise<string | null> {
  const row: Pick<SubsidyRecord, 'enterpriseCustomerUuid'> | undefined = await db(subsidies.table)
    .where({ uuid: subsidyUuid, is_soft_deleted: false })
    .first(subsidies.pick('enterpriseCustomerUuid'));
  return row?.enterpriseCustomerUuid ?? null;
}

export const ownerOfTransaction = async (db: Connection, uuid: string): Promise<string | null> =>
  (await ledgerOfTransaction(db, uuid))?.enterpriseCustomerUuid ?? null;

/** Committed redemptions per learner that were not reversed (R-LED-17). */
export async function enrollmentCounts(
  db: Connection,
  subsidyUuid: string,
  policyUuid?: string,
): Promise<Map<number, number>> {
  const ledger = await ledgerOf(db, subsidyUuid);
  const rows: { lms_user_id: number; total: number }[] = await db(ledgerTransactions.table)
    .where({ ledger_uuid: ledger?.ledgerUuid ?? null, state: 'committed', is_reversed: false })
    .whereNotNull('lms_user_id')
    .modify((query) => {
      if (policyUuid !== undefined) query.where({ subsidy_access_policy_uuid: policyUuid });
    })
    .groupBy('lms_user_id')
    .select('lms_user_id')
    .count({ total: '*' });
  return new Map(rows.map((row) => [row.lms_user_id, Number(row.total)]));
}

/** US cents spent through a policy by pending and committed transactions, net of reversals. */
export async function spentThrough(db: Connection, subsidyUuid: string, policyUuid: string): Promise<number> {
  const ledger = await ledgerOf(db, subsidyUuid);
  const row = await db(ledgerTransactions.table)
    .where({ ledger_uuid: ledger?.ledgerUuid ?? null, subsidy_access_policy_uuid: policyUuid, is_reversed: false })
    .whereIn('state', ['created', 'pending', 'committed'])
    .sum({ total: 'quantity_cents' })
    .first();
  // Zero, not minus zero.
  return 0 - Number(row?.total ?? 0);
}

/** The ledger of a transaction, also if its subsidy is hidden. */
export async function ledgerOfTransaction(db: Connection, uuid: string): Promise<LedgerKey | null> {
  const row: LedgerKey | undefined = await db(ledgerTransactions.table)
    .where({ uuid })
    .first(ledgerTransactions.pick('ledgerUuid', 'enterpriseCustomerUuid'));
  return row ?? null;
}

/** The transaction with a caller's key in the ledger of a subsidy. */
export async function findByCallerKey(
  db: Connection,
  subsidyUuid: string,
  key: string,
): Promise<LedgerTransaction | null> {
  const found = await readTransactions(
    selectTransactions(db).where('s.uuid', subsidyUuid).whereIn('t.idempotency_key', storedKeysOf(key)),
  );
  return found.find(({ idempotencyKey }) => idempotencyKey === callerKey(key)) ?? found[0] ?? null;
}

const NEWEST_FIRST = { field: 'created', direction: 'desc' } as const;

export interface TransactionFilter {
  readonly subsidyUuid: string;
  readonly lmsUserId?: number | undefined;
  readonly contentKey?: string | undefined;
  readonly subsidyAccessPolicyUuid?: string | undefined;
  readonly state?: readonly TransactionState[] | undefined;
  readonly search?: string | undefined;
  readonly ordering: string;
}

const narrow = (filter: TransactionFilter) => (query: Knex.QueryBuilder) => {
  query.where('s.uuid', filter.subsidyUuid);
  if (filter.lmsUserId !== undefined) query.where('t.lms_user_id', filter.lmsUserId);
  if (filter.contentKey !== undefined) query.where('t.content_key', filter.contentKey);
  if (filter.subsidyAccessPolicyUuid !== undefined)
    query.where('t.subsidy_access_policy_uuid', filter.subsidyAccessPolicyUuid);
  if (filter.state !== undefined && filter.state.length > 0) query.whereIn('t.state', filter.state);
  if (filter.search) {
    const pattern = containing(filter.search);
    query.whereRaw("(lower(t.lms_user_email) like ? escape '!' or lower(t.content_title) like ? escape '!')", [
      pattern,
      pattern,
    ]);
  }
};

/** One page, with count and sum of all; reversed transactions count as zero. */
export async function pageOfTransactions(
  db: Connection,
  filter: TransactionFilter,
  slice: { offset: number; limit: number },
) {
  const terms = orderTerms(filter.ordering, transactionOrders, NEWEST_FIRST);
  const [totals, items] = await Promise.all([
    db('ledger_transactions as t')
      .join('subsidies as s', 's.ledger_uuid', 't.ledger_uuid')
      .modify(narrow(filter))
      .count({ count: '*' })
      .select({ quantity: db.raw('sum(case when t.is_reversed then 0 else t.quantity_cents end)') })
      .first(),
    readTransactions(
      selectTransactions(db)
        .modify(narrow(filter))
        .orderBy([
          ...terms.map(({ field, direction }) => ({
            column: field === 'quantity' ? 't.quantity_cents' : 't.created',
            order: direction,
          })),
          { column: 't.uuid', order: terms[0].direction },
        ])
        .offset(slice.offset)
        .limit(slice.limit),
    ),
  ]);
  return { items, count: Number(totals?.count ?? 0), quantityCents: Number(totals?.quantity ?? 0) };
}

const unfinished = (before: Date, except: Knex.QueryBuilder) => (query: Knex.QueryBuilder) =>
  query
    .whereIn('t.state', ['created', 'pending'])
    .where('t.modified', '<', before)
    .whereNotNull('t.lms_user_id')
    .whereNotExists(except);

/** Pending spends that are older than a time, oldest first, without those that match `except`. */
export const unfinishedBefore = (
  db: Connection,
  before: Date,
  limit: number,
  except: Knex.QueryBuilder,
): Promise<LedgerTransaction[]> =>
  readTransactions(selectTransactions(db).modify(unfinished(before, except)).orderBy('t.modified').limit(limit));

export async function countUnfinished(db: Connection, before: Date, except: Knex.QueryBuilder): Promise<number> {
  const row = await db('ledger_transactions as t').modify(unfinished(before, except)).count({ n: '*' }).first();
  return Number(row?.n ?? 0);
}
