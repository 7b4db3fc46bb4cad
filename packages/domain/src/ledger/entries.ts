import { appendToOutbox, changeOne, recordChanges, type Transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import type { LedgerTransaction, Recorded } from '../kernel/ports/ledger.ts';
import { transactionChanged } from './events.ts';
import { findTransaction, type LedgerKey } from './store.ts';
import { ledgerDeposits, ledgerReversals, ledgers, ledgerTransactions } from './tables.ts';

/**
 * Debits a ledger, without value that is reserved for assignments. A conditional update, so concurrent callers cannot
 * overdraw.
 */
export const debit = async (trx: Transaction, ledgerUuid: string, cents: number): Promise<boolean> =>
  (await trx(ledgers.table)
    .where({ uuid: ledgerUuid })
    .whereRaw('balance_cents - reserved_cents >= ?', [cents])
    .update({ balance_cents: trx.raw('balance_cents - ?', [cents]) })) === 1;

/** Debits value that was reserved for an assignment. */
export const debitReserved = async (trx: Transaction, ledgerUuid: string, cents: number): Promise<boolean> =>
  (await trx(ledgers.table)
    .where({ uuid: ledgerUuid })
    .where('balance_cents', '>=', cents)
    .update({
      balance_cents: trx.raw('balance_cents - ?', [cents]),
      reserved_cents: trx.raw('reserved_cents - ?', [cents]),
    })) === 1;

/** Reserves value for assignments if the balance covers all reservations. */
export const reserveBalance = async (trx: Transaction, ledgerUuid: string, cents: number): Promise<boolean> =>
  (await trx(ledgers.table)
    .where({ uuid: ledgerUuid })
    .whereRaw('balance_cents - reserved_cents >= ?', [cents])
    .update({ reserved_cents: trx.raw('reserved_cents + ?', [cents]) })) === 1;

/** Undoes `reserveBalance` for ended assignments. */
export const releaseBalance = (trx: Transaction, ledgerUuid: string, cents: number): Promise<void> =>
  changeOne(
    trx(ledgers.table)
      .where({ uuid: ledgerUuid })
      .where('reserved_cents', '>=', cents)
      .update({ reserved_cents: trx.raw('reserved_cents - ?', [cents]) }),
    `ledger ${ledgerUuid} releases ${cents} reserved cents`,
  );

/** Credits the value of a failed or reversed transaction. */
const credit = (trx: Transaction, ledgerUuid: string, cents: number): Promise<void> =>
  changeOne(
    trx(ledgers.table)
      .where({ uuid: ledgerUuid })
      .update({ balance_cents: trx.raw('balance_cents + ?', [cents]) }),
    `ledger ${ledgerUuid} is credited ${cents} cents`,
  );

/** Stores a transaction and, for redemptions, its event: every consumer of ours needs a learner. */
export async function insertTransaction(trx: Transaction, ledger: LedgerKey, entry: LedgerTransaction): Promise<void> {
  const {
    subsidyUuid: _subsidy,
    reversal: _reversal,
    coursewareUrl: _url,
    externalReferences: _orders,
    ...row
  } = entry;
  await trx(ledgerTransactions.table).insert(ledgerTransactions.encode({ ...row, ...ledger, isReversed: false }));
  remember(trx, ledger, null, entry);
  if (entry.lmsUserId === null) return;
  // We insert transactions as pending; for consumers, a new transaction has the state `created`.
  const fresh: LedgerTransaction = { ...entry, state: 'created' };
  await appendToOutbox(trx, entry.created, [transactionChanged('created', fresh, ledger)]);
}

const remember = (
  trx: Transaction,
  { ledgerUuid, enterpriseCustomerUuid }: LedgerKey,
  before: LedgerTransaction | null,
  after: LedgerTransaction,
): void => {
  const rowOf = (entry: LedgerTransaction) => ({
    ...entry,
    ledgerUuid,
    enterpriseCustomerUuid,
    isReversed: entry.reversal !== null,
  });
  recordChanges(trx, ledgerTransactions, [{ before: before && rowOf(before), after: rowOf(after) }]);
};

/** Ends a pending transaction. Returns no event if it was ended before. */
export async function endTransaction(
  trx: Transaction,
  ledger: LedgerKey,
  before: LedgerTransaction,
  end: { state: 'committed' | 'failed'; fulfillmentIdentifier: string | null; at: Date },
): Promise<Recorded> {
  const { state, fulfillmentIdentifier, at: modified } = end;
  const ended = await trx(ledgerTransactions.table)
    .where({ uuid: before.uuid })
    .whereIn('state', ['created', 'pending'])
    .update(ledgerTransactions.encode({ state, fulfillmentIdentifier, modified }));
  if (ended === 0) return { transaction: null, events: [] };
  const after = { ...before, state, fulfillmentIdentifier, modified };
  remember(trx, ledger, before, after);
  if (state === 'failed') await credit(trx, ledger.ledgerUuid, -after.quantityCents);
  return { transaction: after, events: [transactionChanged(state, after, ledger)] };
}

export interface ReversalRequest {
  readonly transaction: LedgerTransaction;
  readonly ledger: LedgerKey;
  readonly idempotencyKey: string;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly at: Date;
}

/** Reverses a committed transaction, once (R-LED-07). Returns false if it was reversed before. */
export async function insertReversal(trx: Transaction, request: ReversalRequest): Promise<boolean> {
  const { transaction, ledger, at } = request;
  const marked = await trx(ledgerTransactions.table)
    .where({ uuid: transaction.uuid, state: 'committed', is_reversed: false })
    .update({ is_reversed: true, modified: at });
  if (marked === 0) return false;
  await trx(ledgerReversals.table).insert(
    ledgerReversals.encode({
      uuid: newUuid(),
      transactionUuid: transaction.uuid,
      enterpriseCustomerUuid: ledger.enterpriseCustomerUuid,
      idempotencyKey: request.idempotencyKey,
      quantityCents: -transaction.quantityCents,
      state: 'committed',
      metadata: request.metadata,
      created: at,
      modified: at,
    }),
  );
  const after = await findTransaction(trx, transaction.uuid);
  if (!after) return false;
  remember(trx, ledger, transaction, after);
  if (after.lmsUserId !== null) await appendToOutbox(trx, at, [transactionChanged('reversed', after, ledger)]);
  await credit(trx, ledger.ledgerUuid, -transaction.quantityCents);
  return true;
}

export interface DepositEntry {
  readonly uuid: string;
  readonly ledger: LedgerKey;
  readonly transaction: LedgerTransaction;
  readonly salesContractReferenceId: string | null;
  readonly providerSlug: string | null;
}

/** Adds value to a ledger, with its transaction and deposit rows. A unique violation means that the key is taken. */
export async function insertDeposit(trx: Transaction, entry: DepositEntry): Promise<void> {
  const { ledger, transaction } = entry;
  const { ledgerUuid } = ledger;
  const cents = transaction.quantityCents;
  await insertTransaction(trx, ledger, transaction);
  // Before inserting the deposit: its foreign key takes a shared lock on the ledger, and two transactions that
  // upgrade such a lock deadlock.
  await changeOne(
    trx(ledgers.table)
      .where({ uuid: ledgerUuid })
      .update({
        balance_cents: trx.raw('balance_cents + ?', [cents]),
        deposits_cents: trx.raw('deposits_cents + ?', [cents]),
      }),
    `deposit of ${cents} cents in ledger ${ledgerUuid}`,
  );
  await trx(ledgerDeposits.table).insert(
    ledgerDeposits.encode({
      ...ledger,
      uuid: entry.uuid,
      transactionUuid: transaction.uuid,
      desiredDepositQuantityCents: cents,
      salesContractReferenceId: entry.salesContractReferenceId,
      providerSlug: entry.providerSlug,
      created: transaction.created,
    }),
  );
}
