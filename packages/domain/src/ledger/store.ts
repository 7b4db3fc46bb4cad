import type { Connection } from '@enterprise-access/db';
import type { Knex } from 'knex';
import { orderTerms } from '../kernel/order.ts';
import type { LedgerTransaction, Reversal, Subsidy, TransactionState } from '../kernel/ports/ledger.ts';
import { transactionOrders } from './contract.ts';
import { callerKey, containing, storedKeysOf } from './rules.ts';

type Json = Readonly<Record<string, unknown>> | string | null;

interface TransactionRow {
  uuid: string;
  ledger_uuid: string;
  idempotency_key: string;
  quantity_cents: number;
  state: TransactionState;
  metadata: Json;
  lms_user_id: number | null;
  lms_user_email: string | null;
  content_key: string | null;
  parent_content_key: string | null;
  content_title: string | null;
  course_run_start_date: Date | null;
  fulfillment_identifier: string | null;
  subsidy_access_policy_uuid: string | null;
  created: Date;
  modified: Date;
  subsidy_uuid: string;
  reversal_uuid: string | null;
  reversal_state: TransactionState | null;
  reversal_key: string | null;
  reversal_quantity: number | null;
  reversal_metadata: Json;
  reversal_created: Date | null;
  reversal_modified: Date | null;
}

/** MariaDB keeps JSON as text. */
const parsed = (json: Json): Readonly<Record<string, unknown>> | null =>
  typeof json === 'string' ? JSON.parse(json) : json;

function reversalOf(row: TransactionRow): Reversal | null {
  if (row.reversal_uuid === null || row.reversal_created === null || row.reversal_modified === null) return null;
  return {
    uuid: row.reversal_uuid,
    state: row.reversal_state ?? 'committed',
    idempotencyKey: row.reversal_key ?? '',
    quantityCents: row.reversal_quantity ?? 0,
    metadata: parsed(row.reversal_metadata),
    created: row.reversal_created,
    modified: row.reversal_modified,
  };
}

const transactionOf = (row: TransactionRow): LedgerTransaction => ({
  uuid: row.uuid,
  state: row.state,
  idempotencyKey: row.idempotency_key,
  subsidyUuid: row.subsidy_uuid,
  lmsUserId: row.lms_user_id,
  lmsUserEmail: row.lms_user_email,
  contentKey: row.content_key,
  parentContentKey: row.parent_content_key,
  contentTitle: row.content_title,
  courseRunStartDate: row.course_run_start_date,
  quantityCents: row.quantity_cents,
  fulfillmentIdentifier: row.fulfillment_identifier,
  subsidyAccessPolicyUuid: row.subsidy_access_policy_uuid,
  metadata: parsed(row.metadata),
  created: row.created,
  modified: row.modified,
  reversal: reversalOf(row),
});

/** Transactions with their reversals, to be narrowed by the caller. */
export const selectTransactions = (db: Connection) =>
  db('ledger_transactions as t')
    .join('subsidies as s', 's.ledger_uuid', 't.ledger_uuid')
    .leftJoin('ledger_reversals as r', 'r.transaction_uuid', 't.uuid')
    .select('t.*', {
      subsidy_uuid: 's.uuid',
      reversal_uuid: 'r.uuid',
      reversal_state: 'r.state',
      reversal_key: 'r.idempotency_key',
      reversal_quantity: 'r.quantity_cents',
      reversal_metadata: 'r.metadata',
      reversal_created: 'r.created',
      reversal_modified: 'r.modified',
    });

export const readTransactions = async (query: ReturnType<typeof selectTransactions>): Promise<LedgerTransaction[]> =>
  ((await query) as TransactionRow[]).map(transactionOf);

export async function findTransaction(db: Connection, uuid: string): Promise<LedgerTransaction | null> {
  const [found] = await readTransactions(selectTransactions(db).where('t.uuid', uuid));
  return found ?? null;
}

interface SubsidyRow {
  uuid: string;
  enterprise_customer_uuid: string;
  active_datetime: Date | null;
  expiration_datetime: Date | null;
  balance_cents: number;
  reserved_cents: number;
  deposits_cents: number;
}

export async function findSubsidies(db: Connection, uuids: readonly string[]): Promise<Map<string, Subsidy>> {
  if (uuids.length === 0) return new Map();
  const rows: SubsidyRow[] = await db('subsidies as s')
    .join('ledgers as l', 'l.uuid', 's.ledger_uuid')
    .whereIn('s.uuid', uuids)
    .where('s.is_soft_deleted', false)
    .select(
      's.uuid',
      's.enterprise_customer_uuid',
      's.active_datetime',
      's.expiration_datetime',
      'l.balance_cents',
      'l.reserved_cents',
      'l.deposits_cents',
    );
  return new Map(
    rows.map((row) => [
      row.uuid,
      {
        uuid: row.uuid,
        enterpriseCustomerUuid: row.enterprise_customer_uuid,
        activeDatetime: row.active_datetime,
        expirationDatetime: row.expiration_datetime,
        balanceCents: row.balance_cents,
        reservedCents: row.reserved_cents,
        depositsCents: row.deposits_cents,
      },
    ]),
  );
}

/** The ledger of a subsidy, also when that is hidden by now: what is in flight must come to its end. */
export async function ledgerOf(db: Connection, subsidyUuid: string): Promise<string | null> {
  const row: { ledger_uuid: string } | undefined = await db('subsidies')
    .where({ uuid: subsidyUuid })
    .first('ledger_uuid');
  return row?.ledger_uuid ?? null;
}

export async function ownerOf(db: Connection, subsidyUuid: string): Promise<string | null> {
  const row: { enterprise_customer_uuid: string } | undefined = await db('subsidies')
    .where({ uuid: subsidyUuid, is_soft_deleted: false })
    .first('enterprise_customer_uuid');
  return row?.enterprise_customer_uuid ?? null;
}

export async function ownerOfTransaction(db: Connection, uuid: string): Promise<string | null> {
  const row: { enterprise_customer_uuid: string } | undefined = await db('ledger_transactions as t')
    .join('subsidies as s', 's.ledger_uuid', 't.ledger_uuid')
    .where('t.uuid', uuid)
    .first('s.enterprise_customer_uuid');
  return row?.enterprise_customer_uuid ?? null;
}

/** Committed, standing redemptions per learner (R-LED-17). */
export async function enrollmentCounts(
  db: Connection,
  subsidyUuid: string,
  policyUuid?: string,
): Promise<Map<number, number>> {
  const ledgerUuid = await ledgerOf(db, subsidyUuid);
  const rows: { lms_user_id: number; total: number }[] = await db('ledger_transactions')
    .where({ ledger_uuid: ledgerUuid, state: 'committed', is_reversed: false })
    .whereNotNull('lms_user_id')
    .modify((query) => {
      if (policyUuid !== undefined) query.where({ subsidy_access_policy_uuid: policyUuid });
    })
    .groupBy('lms_user_id')
    .select('lms_user_id')
    .count({ total: '*' });
  return new Map(rows.map((row) => [row.lms_user_id, Number(row.total)]));
}

/** US cents that standing transactions through a policy have taken, in flight or done. */
export async function spentThrough(db: Connection, subsidyUuid: string, policyUuid: string): Promise<number> {
  const ledgerUuid = await ledgerOf(db, subsidyUuid);
  const row = await db('ledger_transactions')
    .where({ ledger_uuid: ledgerUuid, subsidy_access_policy_uuid: policyUuid, is_reversed: false })
    .whereIn('state', ['created', 'pending', 'committed'])
    .sum({ total: 'quantity_cents' })
    .first();
  // Zero, not minus zero.
  return 0 - Number(row?.total ?? 0);
}

/** The ledger of a transaction, also when its subsidy is hidden by now. */
export async function ledgerOfTransaction(db: Connection, uuid: string): Promise<string | null> {
  const row: { ledger_uuid: string } | undefined = await db('ledger_transactions').where({ uuid }).first('ledger_uuid');
  return row?.ledger_uuid ?? null;
}

/** What was made under a caller's key in the ledger of a subsidy. */
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

/** One page, the number of all, and what they sum up to: a reversed transaction counts as nothing. */
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

/** Spends that a crash or a silent LMS left open before the given time, oldest first, but those that `except` finds. */
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
