import { type Connection, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import type { Spend } from '../kernel/ports/ledger.ts';
import { redemptions } from './tables.ts';

/** A stored intent to spend, and its result. */
export interface Redemption extends Readonly<Pick<Row<typeof redemptions>, Outcome>> {
  readonly spend: Spend;
}
type Outcome = 'state' | 'transactionUuid' | 'errorCode' | 'modified';

function redemptionOf(raw: object): Redemption {
  const { state, transactionUuid, errorCode, modified, ...spend } = redemptions.decode(raw);
  return { spend, state, transactionUuid, errorCode, modified };
}

export async function insert(trx: Transaction, spend: Spend): Promise<void> {
  await trx(redemptions.table).insert(redemptions.encode({ ...spend, state: 'pending', modified: spend.created }));
  recordChanges(trx, redemptions, [{ before: null, after: { ...spend, state: 'pending' } as const }]);
}

async function first(query: PromiseLike<object | undefined>): Promise<Redemption | null> {
  const row = await query;
  return row ? redemptionOf(row) : null;
}

export const find = (db: Connection, uuid: string): Promise<Redemption | null> =>
  first(db(redemptions.table).where({ uuid }).first());

/** The redemption of a ledger transaction. */
export const findByTransaction = (db: Connection, transactionUuid: string): Promise<Redemption | null> =>
  first(db(redemptions.table).where({ transaction_uuid: transactionUuid }).first());

type Subject = Pick<Spend, 'subsidyUuid' | 'lmsUserId' | 'contentKey'>;

const about = (db: Connection, { subsidyUuid, lmsUserId, contentKey }: Subject) =>
  db(redemptions.table).where(redemptions.encode({ subsidyUuid, lmsUserId, contentKey }));

/** The pending or committed redemption of this content, if there is one. */
export const findOpen = (db: Connection, of: Subject): Promise<Redemption | null> =>
  first(about(db, of).whereIn('state', ['pending', 'committed']).first());

/** All redemptions of one content by one learner, in any state, oldest first. */
export async function attemptsOf(db: Connection, of: Subject): Promise<Redemption[]> {
  const rows: object[] = await about(db, of).orderBy(['created', 'uuid']);
  return rows.map(redemptionOf);
}

/** Ends a pending redemption; false when somebody else ended it before. */
export async function end(
  trx: Transaction,
  spend: Spend,
  {
    at,
    ...outcome
  }: { state: 'committed' | 'failed'; transactionUuid: string | null; errorCode: string | null; at: Date },
): Promise<boolean> {
  const ended = await trx(redemptions.table)
    .where({ uuid: spend.uuid, state: 'pending' })
    .update(redemptions.encode({ ...outcome, modified: at }));
  if (ended === 0) return false;
  const before = { ...spend, state: 'pending' };
  recordChanges(trx, redemptions, [{ before, after: { ...spend, ...outcome } }]);
  return true;
}

export async function countPendingBefore(db: Connection, before: Date): Promise<number> {
  const row = await db(redemptions.table)
    .where({ state: 'pending' })
    .where('modified', '<', before)
    .count({ n: '*' })
    .first();
  return Number(row?.n ?? 0);
}

/** Notes that the value of a committed redemption went back; false when that is known already. */
export async function reverse(trx: Transaction, spend: Spend, at: Date): Promise<boolean> {
  const reversed = await trx(redemptions.table)
    .where({ uuid: spend.uuid, state: 'committed' })
    .update({ state: 'reversed', modified: at });
  if (reversed === 0) return false;
  const before = { ...spend, state: 'committed' };
  recordChanges(trx, redemptions, [{ before, after: { ...spend, state: 'reversed' } }]);
  return true;
}

/** Pending redemptions that are older than a time, oldest first. */
export async function pendingBefore(db: Connection, before: Date, limit: number): Promise<Redemption[]> {
  const rows: object[] = await db(redemptions.table)
    .where({ state: 'pending' })
    .where('modified', '<', before)
    .orderBy('modified')
    .limit(limit);
  return rows.map(redemptionOf);
}

export const hasPending = async (db: Connection, policyUuid: string): Promise<boolean> =>
  (await db(redemptions.table).where({ policy_uuid: policyUuid, state: 'pending' }).first('uuid')) !== undefined;

/** Subquery for `whereNotExists`: the redemption of the transaction in this column. */
export const madeFor = (db: Connection, transactionColumn: string) =>
  db(redemptions.table).select(db.raw('1')).whereRaw('redemptions.uuid = ??', [transactionColumn]);
