import { type Connection, insertIfAbsent, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import { v5 } from 'uuid';
import { forcedRedemptions } from './tables.ts';

/** A redemption made by support for a learner, and its result. */
export type ForcedRedemption = Readonly<Row<typeof forcedRedemptions>> & { readonly policyUuid: string };

/** Subject of a record; it has at most one open record. */
export type Subject = Pick<ForcedRedemption, 'policyUuid' | 'lmsUserId' | 'courseRunKey'>;

const NAMESPACE = '5d0f6f0e-6d0e-4c8e-9f0c-0d9b8a5f2a41';

/** Uuid derived from the subject and the previous record, so that concurrent requests cannot open two. */
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

/** Stores a new record; false when another request has just done so. */
export async function insert(trx: Transaction, record: ForcedRedemption): Promise<boolean> {
  if (!(await insertIfAbsent(trx, forcedRedemptions.table, forcedRedemptions.encode(record)))) return false;
  recordChanges(trx, forcedRedemptions, [{ before: null, after: record }]);
  return true;
}

export type Changes = Partial<
  Omit<ForcedRedemption, 'uuid' | 'enterpriseCustomerUuid' | keyof Subject | 'created' | 'modified'>
>;

/** Changes a record. One that is redeemed stays as it is; answers with what is stored then. */
export async function update(trx: Transaction, uuid: string, changes: Changes, at: Date): Promise<ForcedRedemption> {
  const held = await forcedRedemptions.query(trx).findById(uuid).forUpdate();
  if (!held) throw new Error(`There is no forced redemption ${uuid}.`);
  const before = { ...held } as ForcedRedemption;
  if (before.redeemedAt !== null) return before;
  const after: ForcedRedemption = { ...before, ...changes, modified: at };
  await forcedRedemptions.change(trx, before, after);
  return after;
}
