import { type Connection, defineSubject, recordChanges, type Transaction } from '@enterprise-access/db';
import type { Spend, SpendContent } from '../kernel/ports/ledger.ts';

export type RedemptionState = 'pending' | 'committed' | 'failed' | 'reversed';

/** A stored intent to spend, and how it ended. */
export interface Redemption {
  readonly spend: Spend;
  readonly state: RedemptionState;
  readonly transactionUuid: string | null;
  readonly errorCode: string | null;
  readonly modified: Date;
}

type Recorded = Pick<
  Spend,
  | 'uuid'
  | 'enterpriseCustomerUuid'
  | 'policyUuid'
  | 'subsidyUuid'
  | 'lmsUserId'
  | 'contentKey'
  | 'priceCents'
  | 'assignmentUuid'
> & { readonly state: RedemptionState; readonly transactionUuid: string | null; readonly errorCode: string | null };

export const redemptionSubject = defineSubject<Recorded>({
  kind: 'redemption',
  table: 'redemptions',
  customer: 'enterpriseCustomerUuid',
  learner: 'lmsUserId',
});

const recorded = (
  { uuid, enterpriseCustomerUuid, policyUuid, subsidyUuid, lmsUserId, contentKey, priceCents, assignmentUuid }: Spend,
  state: RedemptionState,
  end: { readonly transactionUuid: string | null; readonly errorCode: string | null },
): Recorded => ({
  uuid,
  enterpriseCustomerUuid,
  policyUuid,
  subsidyUuid,
  lmsUserId,
  contentKey,
  priceCents,
  assignmentUuid,
  state,
  ...end,
});

const noEnd = { transactionUuid: null, errorCode: null } as const;

interface Row {
  uuid: string;
  policy_uuid: string;
  subsidy_uuid: string;
  enterprise_customer_uuid: string;
  lms_user_id: number;
  content_key: string;
  price_cents: number;
  requested_price_cents: number | null;
  idempotency_key: string;
  state: RedemptionState;
  metadata: Record<string, unknown> | string | null;
  content: SpendContent | string;
  assignment_uuid: string | null;
  transaction_uuid: string | null;
  error_code: string | null;
  created: Date;
  modified: Date;
}

const redemptionOf = (row: Row): Redemption => ({
  spend: {
    uuid: row.uuid,
    idempotencyKey: row.idempotency_key,
    subsidyUuid: row.subsidy_uuid,
    policyUuid: row.policy_uuid,
    enterpriseCustomerUuid: row.enterprise_customer_uuid,
    lmsUserId: row.lms_user_id,
    contentKey: row.content_key,
    priceCents: row.price_cents,
    requestedPriceCents: row.requested_price_cents,
    // MariaDB keeps JSON as text.
    metadata: typeof row.metadata === 'string' ? JSON.parse(row.metadata) : row.metadata,
    content: typeof row.content === 'string' ? JSON.parse(row.content) : row.content,
    assignmentUuid: row.assignment_uuid,
    created: row.created,
  },
  state: row.state,
  transactionUuid: row.transaction_uuid,
  errorCode: row.error_code,
  modified: row.modified,
});

export async function insert(trx: Transaction, spend: Spend): Promise<void> {
  await trx('redemptions').insert({
    uuid: spend.uuid,
    policy_uuid: spend.policyUuid,
    subsidy_uuid: spend.subsidyUuid,
    enterprise_customer_uuid: spend.enterpriseCustomerUuid,
    lms_user_id: spend.lmsUserId,
    content_key: spend.contentKey,
    price_cents: spend.priceCents,
    requested_price_cents: spend.requestedPriceCents,
    idempotency_key: spend.idempotencyKey,
    state: 'pending',
    metadata: spend.metadata && JSON.stringify(spend.metadata),
    content: JSON.stringify(spend.content),
    assignment_uuid: spend.assignmentUuid,
    created: spend.created,
    modified: spend.created,
  });
  recordChanges(trx, redemptionSubject, [{ before: null, after: recorded(spend, 'pending', noEnd) }]);
}

export async function find(db: Connection, uuid: string): Promise<Redemption | null> {
  const row: Row | undefined = await db('redemptions').where({ uuid }).first();
  return row ? redemptionOf(row) : null;
}

/** The redemption that a ledger transaction was made for. */
export async function findByTransaction(db: Connection, transactionUuid: string): Promise<Redemption | null> {
  const row: Row | undefined = await db('redemptions').where({ transaction_uuid: transactionUuid }).first();
  return row ? redemptionOf(row) : null;
}

/** The redemption of this content that is in flight or done, if there is one. */
export async function findOpen(
  db: Connection,
  of: { subsidyUuid: string; lmsUserId: number; contentKey: string },
): Promise<Redemption | null> {
  const row: Row | undefined = await db('redemptions')
    .where({ subsidy_uuid: of.subsidyUuid, lms_user_id: of.lmsUserId, content_key: of.contentKey })
    .whereIn('state', ['pending', 'committed'])
    .first();
  return row ? redemptionOf(row) : null;
}

/** All redemptions of one content by one learner, in any state, oldest first. */
export async function attemptsOf(
  db: Connection,
  of: { subsidyUuid: string; lmsUserId: number; contentKey: string },
): Promise<Redemption[]> {
  const rows: Row[] = await db('redemptions')
    .where({ subsidy_uuid: of.subsidyUuid, lms_user_id: of.lmsUserId, content_key: of.contentKey })
    .orderBy(['created', 'uuid']);
  return rows.map(redemptionOf);
}

/** Ends a pending redemption; false when somebody else ended it before. */
export async function end(
  trx: Transaction,
  spend: Spend,
  outcome: { state: 'committed' | 'failed'; transactionUuid: string | null; errorCode: string | null; at: Date },
): Promise<boolean> {
  const { state, transactionUuid, errorCode, at: modified } = outcome;
  const ended = await trx('redemptions')
    .where({ uuid: spend.uuid, state: 'pending' })
    .update({ state, transaction_uuid: transactionUuid, error_code: errorCode, modified });
  if (ended === 0) return false;
  const after = recorded(spend, state, { transactionUuid, errorCode });
  recordChanges(trx, redemptionSubject, [{ before: recorded(spend, 'pending', noEnd), after }]);
  return true;
}

export async function countPendingBefore(db: Connection, before: Date): Promise<number> {
  const row = await db('redemptions')
    .where({ state: 'pending' })
    .where('modified', '<', before)
    .count({ n: '*' })
    .first();
  return Number(row?.n ?? 0);
}

/** Notes that the value of a committed redemption went back; false when that is known already. */
export async function reverse(trx: Transaction, spend: Spend, at: Date): Promise<boolean> {
  const { uuid } = spend;
  const reversed = await trx('redemptions')
    .where({ uuid, state: 'committed' })
    .update({ state: 'reversed', modified: at });
  if (reversed === 0) return false;
  const before = recorded(spend, 'committed', noEnd);
  recordChanges(trx, redemptionSubject, [{ before, after: { ...before, state: 'reversed' } }]);
  return true;
}

/** What a crash or a silent service left open before the given time, oldest first. */
export async function pendingBefore(db: Connection, before: Date, limit: number): Promise<Redemption[]> {
  const rows: Row[] = await db('redemptions')
    .where({ state: 'pending' })
    .where('modified', '<', before)
    .orderBy('modified')
    .limit(limit);
  return rows.map(redemptionOf);
}

export const hasPending = async (db: Connection, policyUuid: string): Promise<boolean> =>
  (await db('redemptions').where({ policy_uuid: policyUuid, state: 'pending' }).first('uuid')) !== undefined;

/** A condition for `whereNotExists`: the redemption that the transaction in this column was made for. */
export const madeFor = (db: Connection, transactionColumn: string) =>
  db('redemptions').select(db.raw('1')).whereRaw('redemptions.uuid = ??', [transactionColumn]);
