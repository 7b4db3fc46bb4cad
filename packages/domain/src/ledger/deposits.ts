import { type Connection, type Database, isUniqueViolation, transaction } from '@enterprise-access/db';
import type { LedgerTransaction } from '../kernel/ports/ledger.ts';
import { type DepositEntry, insertDeposit } from './entries.ts';
import { ledgerDeposits, referenceProviders } from './tables.ts';

/** A stored deposit. */
export interface DepositRecord {
  readonly uuid: string;
  readonly ledger: string;
  readonly desiredDepositQuantity: number;
  readonly transaction: string;
  readonly salesContractReferenceId: string | null;
  readonly salesContractReferenceProvider: string | null;
}

/** Codes are ASCII. MariaDB compares no other text with a column of them, but fails. */
const IS_CODE = /^[ -~]*$/;

export const isProvider = async (db: Connection, slug: string): Promise<boolean> =>
  IS_CODE.test(slug) && (await db(referenceProviders.table).where({ slug }).first('slug')) !== undefined;

/**
 * The deposit with the first of the keys that exists; `other` if that key belongs to a transaction that is not a
 * deposit.
 */
export async function findDeposit(
  db: Connection,
  ledgerUuid: string,
  keys: readonly string[],
): Promise<DepositRecord | 'other' | null> {
  const deposit = ledgerDeposits.aliased('d');
  const rows: (Omit<DepositRecord, 'uuid'> & { uuid: string | null; key: string })[] = await db(
    'ledger_transactions as t',
  )
    .leftJoin('ledger_deposits as d', 'd.transaction_uuid', 't.uuid')
    .where('t.ledger_uuid', ledgerUuid)
    .whereIn('t.idempotency_key', keys)
    .select({
      key: 't.idempotency_key',
      uuid: deposit.uuid,
      ledger: 't.ledger_uuid',
      desiredDepositQuantity: deposit.desiredDepositQuantityCents,
      transaction: 't.uuid',
      salesContractReferenceId: deposit.salesContractReferenceId,
      salesContractReferenceProvider: deposit.providerSlug,
    });
  const [first] = keys.flatMap((wanted) => rows.filter(({ key }) => key === wanted));
  if (!first) return null;
  const { key: _key, uuid, ...rest } = first;
  return uuid === null ? 'other' : { ...rest, uuid };
}

/** The ledger transaction of a deposit. */
export const depositEntry = (
  uuid: string,
  deposit: { subsidyUuid: string; quantityCents: number; idempotencyKey: string },
  now: Date,
): LedgerTransaction => ({
  uuid,
  state: 'committed',
  idempotencyKey: deposit.idempotencyKey,
  subsidyUuid: deposit.subsidyUuid,
  lmsUserId: null,
  lmsUserEmail: null,
  contentKey: null,
  parentContentKey: null,
  contentTitle: null,
  courseRunStartDate: null,
  quantityCents: deposit.quantityCents,
  fulfillmentIdentifier: null,
  subsidyAccessPolicyUuid: null,
  metadata: null,
  created: now,
  modified: now,
  reversal: null,
});

/** Adds a deposit; false if its key is taken, possibly by a concurrent request. */
export async function addDeposit(db: Database, entry: DepositEntry): Promise<boolean> {
  try {
    await transaction(db, (trx) => insertDeposit(trx, entry));
    return true;
  } catch (error) {
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}
