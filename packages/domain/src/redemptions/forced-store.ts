import { appendHistory, type Connection, insertIfAbsent, type Row, type Transaction } from '@enterprise-access/db';
import { v5 } from 'uuid';
import { forcedRedemptions } from './tables.ts';

/** A redemption that support makes for a learner, and how it ended. */
export type ForcedRedemption = Readonly<Row<typeof forcedRedemptions>> & { readonly policyUuid: string };

/** What a record is about; there is one open record of it at a time. */
export type Subject = Pick<ForcedRedemption, 'policyUuid' | 'lmsUserId' | 'courseRunKey'>;

const NAMESPACE = '5d0f6f0e-6d0e-4c8e-9f0c-0d9b8a5f2a41';

/** Follows from the subject and the record before it: simultaneous requests cannot open two. */
export const uuidAfter = (subject: Subject, previousUuid: string | null): string =>
  v5(JSON.stringify([subject.policyUuid, subject.lmsUserId, subject.courseRunKey, previousUuid]), NAMESPACE);

/** The newest record of the subject. */
export async function findLatest(db: Connection, subject: Subject): Promise<ForcedRedemption | null> {
  const found = await forcedRedemptions
    .query(db)
    .where(forcedRedemptions.encode(subjectOf(subject)))
    .orderBy('created', 'desc')
    .first();
  return found ? ({ ...found } as ForcedRedemption) : null;
}

const subjectOf = ({ policyUuid, lmsUserId, courseRunKey }: Subject): Subject => ({
  policyUuid,
  lmsUserId,
  courseRunKey,
});

/** Stores a new record with its history; false when another request has just done so. */
export async function insert(trx: Transaction, record: ForcedRedemption, actorUserId: number): Promise<boolean> {
  if (!(await insertIfAbsent(trx, forcedRedemptions.table, forcedRedemptions.encode(record)))) return false;
  await appendHistory(trx, forcedRedemptions, record, { type: '+', actorUserId, reason: null, at: record.created });
  return true;
}

export type Changes = Partial<
  Omit<ForcedRedemption, 'uuid' | 'enterpriseCustomerUuid' | keyof Subject | 'created' | 'modified'>
>;

/** Changes a record with its history. One that is redeemed stays as it is; answers with what is stored then. */
export async function update(
  trx: Transaction,
  uuid: string,
  changes: Changes,
  by: { readonly actorUserId: number; readonly at: Date },
): Promise<ForcedRedemption> {
  const held = await forcedRedemptions.query(trx).findById(uuid).forUpdate();
  if (!held) throw new Error(`There is no forced redemption ${uuid}.`);
  const before = { ...held } as ForcedRedemption;
  if (before.redeemedAt !== null) return before;
  const after: ForcedRedemption = { ...before, ...changes, modified: by.at };
  const { uuid: _uuid, ...written } = after;
  await forcedRedemptions.patch(trx, uuid, written);
  await appendHistory(trx, forcedRedemptions, after, {
    type: '~',
    actorUserId: by.actorUserId,
    reason: null,
    at: by.at,
  });
  return after;
}
