import { type Connection, defineSubject, insertIfAbsent, recordChanges, type Transaction } from '@enterprise-access/db';
import { v5 } from 'uuid';

/** A redemption that support makes for a learner, and how it ended. */
export interface ForcedRedemption {
  readonly uuid: string;
  readonly policyUuid: string;
  readonly lmsUserId: number;
  readonly courseRunKey: string;
  readonly contentPriceCents: number;
  readonly waitToRedeem: boolean;
  readonly redeemedAt: Date | null;
  readonly erroredAt: Date | null;
  /** What went wrong, in words for support; never what another service said. */
  readonly traceback: string | null;
  readonly transactionUuid: string | null;
  readonly created: Date;
  readonly modified: Date;
}

/** What a record is about; there is one open record of it at a time. */
export type Subject = Pick<ForcedRedemption, 'policyUuid' | 'lmsUserId' | 'courseRunKey'>;

interface Row {
  uuid: string;
  policy_uuid: string;
  lms_user_id: number;
  course_run_key: string;
  content_price_cents: number;
  wait_to_redeem: boolean;
  redeemed_at: Date | null;
  errored_at: Date | null;
  traceback: string | null;
  transaction_uuid: string | null;
  created: Date;
  modified: Date;
}

const TABLE = 'forced_redemptions';
export const forcedRedemptionSubject = defineSubject<ForcedRedemption>({
  kind: 'forced_redemption',
  table: TABLE,
  learner: 'lmsUserId',
  ignored: ['created', 'modified'],
});

const NAMESPACE = '5d0f6f0e-6d0e-4c8e-9f0c-0d9b8a5f2a41';

/** Follows from the subject and the record before it: simultaneous requests cannot open two. */
export const uuidAfter = (subject: Subject, previousUuid: string | null): string =>
  v5(JSON.stringify([subject.policyUuid, subject.lmsUserId, subject.courseRunKey, previousUuid]), NAMESPACE);

const recordOf = (row: Row): ForcedRedemption => ({
  uuid: row.uuid,
  policyUuid: row.policy_uuid,
  lmsUserId: row.lms_user_id,
  courseRunKey: row.course_run_key,
  contentPriceCents: row.content_price_cents,
  waitToRedeem: row.wait_to_redeem,
  redeemedAt: row.redeemed_at,
  erroredAt: row.errored_at,
  traceback: row.traceback,
  transactionUuid: row.transaction_uuid,
  created: row.created,
  modified: row.modified,
});

const rowOf = (record: ForcedRedemption): Row => ({
  uuid: record.uuid,
  policy_uuid: record.policyUuid,
  lms_user_id: record.lmsUserId,
  course_run_key: record.courseRunKey,
  content_price_cents: record.contentPriceCents,
  wait_to_redeem: record.waitToRedeem,
  redeemed_at: record.redeemedAt,
  errored_at: record.erroredAt,
  traceback: record.traceback,
  transaction_uuid: record.transactionUuid,
  created: record.created,
  modified: record.modified,
});

/** The newest record of the subject. */
export async function findLatest(db: Connection, subject: Subject): Promise<ForcedRedemption | null> {
  const row: Row | undefined = await db(TABLE)
    .where({
      policy_uuid: subject.policyUuid,
      lms_user_id: subject.lmsUserId,
      course_run_key: subject.courseRunKey,
    })
    .orderBy('created', 'desc')
    .first();
  return row ? recordOf(row) : null;
}

/** Stores a new record with its history; false when another request has just done so. */
export async function insert(trx: Transaction, record: ForcedRedemption): Promise<boolean> {
  if (!(await insertIfAbsent(trx, TABLE, { ...rowOf(record) }))) return false;
  recordChanges(trx, forcedRedemptionSubject, [{ before: null, after: record }]);
  return true;
}

export type Changes = Partial<Omit<ForcedRedemption, 'uuid' | keyof Subject | 'created' | 'modified'>>;

/** Changes a record with its history. One that is redeemed stays as it is; answers with what is stored then. */
export async function update(trx: Transaction, uuid: string, changes: Changes, at: Date): Promise<ForcedRedemption> {
  const row: Row | undefined = await trx(TABLE).where({ uuid }).forUpdate().first();
  if (!row) throw new Error(`There is no forced redemption ${uuid}.`);
  const before = recordOf(row);
  if (before.redeemedAt !== null) return before;
  const after: ForcedRedemption = { ...before, ...changes, modified: at };
  await trx(TABLE).where({ uuid }).update(rowOf(after));
  recordChanges(trx, forcedRedemptionSubject, [{ before, after }]);
  return after;
}
