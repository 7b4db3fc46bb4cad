import type { Connection } from '@enterprise-access/db';
import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import { ledgerReversals } from './tables.ts';

// A reversal with `unenrolled` null is the stored intent to end the enrollment of its transaction.

export const isOpen = async (db: Connection, transactionUuid: string): Promise<boolean> =>
  (await db(ledgerReversals.table)
    .where({ transaction_uuid: transactionUuid })
    .whereNull('unenrolled')
    .first('uuid')) !== undefined;

/**
 * Whether the learner has redeemed the same content again, pending or committed. The LMS has one enrollment per
 * learner and run, so cancelling late for the first redemption would end the enrollment of the second one.
 */
export async function isPaidAnew(db: Connection, { uuid, lmsUserId, contentKey }: LedgerTransaction): Promise<boolean> {
  const again = await db('ledger_transactions as other')
    .join('ledger_transactions as reversed', 'reversed.ledger_uuid', 'other.ledger_uuid')
    .where({
      'reversed.uuid': uuid,
      'other.lms_user_id': lmsUserId,
      'other.content_key': contentKey,
      'other.is_reversed': false,
    })
    .whereIn('other.state', ['created', 'pending', 'committed'])
    .first('other.uuid');
  return again !== undefined;
}

/** Records that the enrollment has ended. */
export async function close(db: Connection, transactionUuid: string, at: Date): Promise<void> {
  await db(ledgerReversals.table)
    .where({ transaction_uuid: transactionUuid })
    .whereNull('unenrolled')
    .update({ unenrolled: at });
}

const open = (db: Connection, before: Date) =>
  db(ledgerReversals.table).whereNull('unenrolled').where('created', '<', before);

/** Number of open ones. */
export async function count(db: Connection, before: Date): Promise<number> {
  const row = await open(db, before).count({ n: '*' }).first();
  return Number(row?.n ?? 0);
}

/** Transactions that were reversed before a time and whose enrollment has not ended, oldest reversal first. */
export async function openBefore(db: Connection, before: Date, limit: number): Promise<string[]> {
  return open(db, before).orderBy('created').limit(limit).pluck('transaction_uuid');
}
