import type { Connection, Row, Transaction } from '@enterprise-access/db';
import type { Spend } from '../kernel/ports/ledger.ts';
import { redemptions } from './tables.ts';

/** A stored intent to spend, and how it ended. */
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
}

async function first(query: PromiseLike<object | undefined>): Promise<Redemption | null> {
  const row = await query;
  return row ? redemptionOf(row) : null;
}

export const find = (db: Connection, uuid: string): Promise<Redemption | null> =>
  first(db(redemptions.table).where({ uuid }).first());

/** The redemption that a ledger transaction was made for. */
export const findByTransaction = (db: Connection, transactionUuid: string): Promise<Redemption | null> =>
  first(db(redemptions.table).where({ transaction_uuid: transactionUuid }).first());

type Subject = Pick<Spend, 'subsidyUuid' | 'lmsUserId' | 'contentKey'>;

const about = (db: Connection, { subsidyUuid, lmsUserId, contentKey }: Subject) =>
  db(redemptions.table).where(redemptions.encode({ subsidyUuid, lmsUserId, contentKey }));

/** The redemption of this content that is in flight or done, if there is one. */
export const findOpen = (db: Connection, of: Subject): Promise<Redemption | null> =>
  first(about(db, of).whereIn('state', ['pending', 'committed']).first());

/** All redemptions of one content by one learner, in any state, oldest first. */
export async function attemptsOf(db: Connection, of: Subject): Promise<Redemption[]> {
  const rows: object[] = await about(db, of).orderBy(['created', 'uuid']);
  return rows.map(redemptionOf);
}

/** Ends a pending redemption; false when somebody else ended it before. */
export const end = async (
  trx: Transaction,
  uuid: string,
  {
    at,
    ...outcome
  }: { state: 'committed' | 'failed'; transactionUuid: string | null; errorCode: string | null; at: Date },
): Promise<boolean> =>
  (await trx(redemptions.table)
    .where({ uuid, state: 'pending' })
    .update(redemptions.encode({ ...outcome, modified: at }))) === 1;

export async function countPendingBefore(db: Connection, before: Date): Promise<number> {
  const row = await db(redemptions.table)
    .where({ state: 'pending' })
    .where('modified', '<', before)
    .count({ n: '*' })
    .first();
  return Number(row?.n ?? 0);
}

/** Notes that the value of a committed redemption went back; false when that is known already. */
export const reverse = async (trx: Transaction, uuid: string, at: Date): Promise<boolean> =>
  (await trx(redemptions.table).where({ uuid, state: 'committed' }).update({ state: 'reversed', modified: at })) === 1;

/** What a crash or a silent service left open before the given time, oldest first. */
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

/** A condition for `whereNotExists`: the redemption that the transaction in this column was made for. */
export const madeFor = (db: Connection, transactionColumn: string) =>
  db(redemptions.table).select(db.raw('1')).whereRaw('redemptions.uuid = ??', [transactionColumn]);
