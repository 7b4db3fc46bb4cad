import type { Connection, Transaction } from '@enterprise-access/db';

/** A deposit as it is stored. */
export interface DepositRecord {
  readonly uuid: string;
  readonly ledger: string;
  readonly desiredDepositQuantity: number;
  readonly transaction: string;
  readonly salesContractReferenceId: string | null;
  readonly salesContractReferenceProvider: string | null;
}

/** Makes other deposits to this ledger wait until the transaction ends. */
export async function holdLedger(trx: Transaction, ledgerUuid: string): Promise<void> {
  await trx('ledgers').where({ uuid: ledgerUuid }).forUpdate().first('uuid');
}

export const isProvider = async (db: Connection, slug: string): Promise<boolean> =>
  (await db('sales_contract_reference_providers').where({ slug }).first('slug')) !== undefined;

/** The deposit under a key; `other` when the key belongs to a transaction that is no deposit. */
export async function findDeposit(
  db: Connection,
  ledgerUuid: string,
  idempotencyKey: string,
): Promise<DepositRecord | 'other' | null> {
  const row: (Omit<DepositRecord, 'uuid'> & { uuid: string | null }) | undefined = await db('ledger_transactions as t')
    .leftJoin('ledger_deposits as d', 'd.transaction_uuid', 't.uuid')
    .where({ 't.ledger_uuid': ledgerUuid, 't.idempotency_key': idempotencyKey })
    .first({
      uuid: 'd.uuid',
      ledger: 't.ledger_uuid',
      desiredDepositQuantity: 'd.desired_deposit_quantity_cents',
      transaction: 't.uuid',
      salesContractReferenceId: 'd.sales_contract_reference_id',
      salesContractReferenceProvider: 'd.provider_slug',
    });
  if (!row) return null;
  return row.uuid === null ? 'other' : { ...row, uuid: row.uuid };
}
