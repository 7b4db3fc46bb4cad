import { appendHistory, appendToOutbox, type Change, changeOne, type Transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import type { LedgerTransaction, Recorded } from '../kernel/ports/ledger.ts';
import { transactionChanged } from './events.ts';
import { findTransaction, type LedgerKey } from './store.ts';
import { ledgerDeposits, ledgerReversals, ledgers, ledgerTransactions } from './tables.ts';

/** Debits a ledger unless the value is reserved for assignments. Conditional: no number of callers can overdraw. */
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

/** Reserves value for assignments, as long as the balance covers everything that is reserved. */
export const reserveBalance = async (trx: Transaction, ledgerUuid: string, cents: number): Promise<boolean> =>
  (await trx(ledgers.table)
    .where({ uuid: ledgerUuid })
    .whereRaw('balance_cents - reserved_cents >= ?', [cents])
    .update({ reserved_cents: trx.raw('reserved_cents + ?', [cents]) })) === 1;

/** Undoes `reserveBalance` for assignments that are over. */
export const releaseBalance = (trx: Transaction, ledgerUuid: string, cents: number): Promise<void> =>
  changeOne(
    trx(ledgers.table)
      .where({ uuid: ledgerUuid })
      .where('reserved_cents', '>=', cents)
      .update({ reserved_cents: trx.raw('reserved_cents - ?', [cents]) }),
    `ledger ${ledgerUuid} releases ${cents} reserved cents`,
  );

/** Gives back what a failed or reversed transaction had taken. */
const credit = (trx: Transaction, ledgerUuid: string, cents: number): Promise<void> =>
  changeOne(
    trx(ledgers.table)
      .where({ uuid: ledgerUuid })
      .update({ balance_cents: trx.raw('balance_cents + ?', [cents]) }),
    `ledger ${ledgerUuid} is credited ${cents} cents`,
  );

/** Stores a transaction with its history and, for redemptions, its event: every consumer of ours needs a learner. */
export async function insertTransaction(trx: Transaction, ledger: LedgerKey, entry: LedgerTransaction): Promise<void> {
  const {
    subsidyUuid: _subsidy,
    reversal: _reversal,
    coursewareUrl: _url,
    externalReferences: _orders,
    ...row
  } = entry;
  await trx(ledgerTransactions.table).insert(ledgerTransactions.encode({ ...row, ...ledger, isReversed: false }));
  await remember(trx, ledger, entry, '+', entry.created);
  if (entry.lmsUserId === null) return;
  // Made and in flight are one step here; others know a new transaction by the first of its states.
  const fresh: LedgerTransaction = { ...entry, state: 'created' };
  await appendToOutbox(trx, entry.created, [transactionChanged('created', fresh, ledger)]);
}

const remember = (
  trx: Transaction,
  { enterpriseCustomerUuid }: LedgerKey,
  entry: LedgerTransaction,
  type: Change['type'],
  at: Date,
  reason: string | null = null,
) =>
  appendHistory(trx, ledgerTransactions, { ...entry, enterpriseCustomerUuid }, { type, actorUserId: null, reason, at });

/** Ends a transaction that is in flight. When somebody else ended it before, there is nothing to tell. */
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
  await remember(trx, ledger, after, '~', end.at);
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

/** Gives the value of a committed transaction back, once (R-LED-07). False when it was reversed already. */
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
  await remember(trx, ledger, after, '~', at, 'Reversed');
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

/**
 * Adds value to a ledger, with the transaction and the deposit that account for it. A unique violation means that the key
 * is taken.
 */
export async function insertDeposit(trx: Transaction, entry: DepositEntry): Promise<void> {
  const { ledger, transaction } = entry;
  const { ledgerUuid } = ledger;
  const cents = transaction.quantityCents;
  await insertTransaction(trx, ledger, transaction);
  // Before the deposit's row: its foreign key would lock the ledger shared, and two such locks that become updates deadlock.
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
