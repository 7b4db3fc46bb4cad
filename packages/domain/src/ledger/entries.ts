import { appendToOutbox, changeOne, defineSubject, recordChanges, type Transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import type { LedgerTransaction, Recorded } from '../kernel/ports/ledger.ts';
import { transactionChanged } from './events.ts';
import { findTransaction } from './store.ts';

/** Debits a ledger unless the value is reserved for assignments. Conditional: no number of callers can overdraw. */
export const debit = async (trx: Transaction, ledgerUuid: string, cents: number): Promise<boolean> =>
  (await trx('ledgers')
    .where({ uuid: ledgerUuid })
    .whereRaw('balance_cents - reserved_cents >= ?', [cents])
    .update({ balance_cents: trx.raw('balance_cents - ?', [cents]) })) === 1;

/** Debits value that was reserved for an assignment. */
export const debitReserved = async (trx: Transaction, ledgerUuid: string, cents: number): Promise<boolean> =>
  (await trx('ledgers')
    .where({ uuid: ledgerUuid })
    .where('balance_cents', '>=', cents)
    .update({
      balance_cents: trx.raw('balance_cents - ?', [cents]),
      reserved_cents: trx.raw('reserved_cents - ?', [cents]),
    })) === 1;

/** Reserves value for assignments, as long as the balance covers everything that is reserved. */
export const reserveBalance = async (trx: Transaction, ledgerUuid: string, cents: number): Promise<boolean> =>
  (await trx('ledgers')
    .where({ uuid: ledgerUuid })
    .whereRaw('balance_cents - reserved_cents >= ?', [cents])
    .update({ reserved_cents: trx.raw('reserved_cents + ?', [cents]) })) === 1;

/** Undoes `reserveBalance` for assignments that are over. */
export const releaseBalance = (trx: Transaction, ledgerUuid: string, cents: number): Promise<void> =>
  changeOne(
    trx('ledgers')
      .where({ uuid: ledgerUuid })
      .where('reserved_cents', '>=', cents)
      .update({ reserved_cents: trx.raw('reserved_cents - ?', [cents]) }),
    `ledger ${ledgerUuid} releases ${cents} reserved cents`,
  );

/** Gives back what a failed or reversed transaction had taken. */
const credit = (trx: Transaction, ledgerUuid: string, cents: number): Promise<void> =>
  changeOne(
    trx('ledgers')
      .where({ uuid: ledgerUuid })
      .update({ balance_cents: trx.raw('balance_cents + ?', [cents]) }),
    `ledger ${ledgerUuid} is credited ${cents} cents`,
  );

/** Stores a transaction with its history and, for redemptions, its event: every consumer of ours needs a learner. */
export async function insertTransaction(trx: Transaction, ledgerUuid: string, entry: LedgerTransaction): Promise<void> {
  await trx('ledger_transactions').insert({
    uuid: entry.uuid,
    ledger_uuid: ledgerUuid,
    idempotency_key: entry.idempotencyKey,
    quantity_cents: entry.quantityCents,
    state: entry.state,
    is_reversed: false,
    metadata: entry.metadata && JSON.stringify(entry.metadata),
    lms_user_id: entry.lmsUserId,
    lms_user_email: entry.lmsUserEmail,
    content_key: entry.contentKey,
    parent_content_key: entry.parentContentKey,
    content_title: entry.contentTitle,
    course_run_start_date: entry.courseRunStartDate,
    fulfillment_identifier: entry.fulfillmentIdentifier,
    subsidy_access_policy_uuid: entry.subsidyAccessPolicyUuid,
    created: entry.created,
    modified: entry.modified,
  });
  recordChanges(trx, ledgerTransactionSubject, [{ before: null, after: entry }]);
  if (entry.lmsUserId === null) return;
  // Made and in flight are one step here; others know a new transaction by the first of its states.
  const fresh: LedgerTransaction = { ...entry, state: 'created' };
  await appendToOutbox(trx, entry.created, [transactionChanged('created', fresh, ledgerUuid)]);
}

/** Ends a transaction that is in flight. When somebody else ended it before, there is nothing to tell. */
export async function endTransaction(
  trx: Transaction,
  ledgerUuid: string,
  before: LedgerTransaction,
  end: { state: 'committed' | 'failed'; fulfillmentIdentifier: string | null; at: Date },
): Promise<Recorded> {
  const ended = await trx('ledger_transactions')
    .where({ uuid: before.uuid })
    .whereIn('state', ['created', 'pending'])
    .update({ state: end.state, fulfillment_identifier: end.fulfillmentIdentifier, modified: end.at });
  if (ended === 0) return { transaction: null, events: [] };
  const { state, fulfillmentIdentifier, at: modified } = end;
  const after = { ...before, state, fulfillmentIdentifier, modified };
  recordChanges(trx, ledgerTransactionSubject, [{ before, after }]);
  if (state === 'failed') await credit(trx, ledgerUuid, -after.quantityCents);
  return { transaction: after, events: [transactionChanged(state, after, ledgerUuid)] };
}

export const ledgerTransactionSubject = defineSubject<LedgerTransaction>({
  kind: 'ledger_transaction',
  table: 'ledger_transactions',
  learner: 'lmsUserId',
  hidden: ['lmsUserEmail', 'metadata'],
  ignored: ['created', 'modified'],
});

export interface ReversalRequest {
  readonly transaction: LedgerTransaction;
  readonly ledgerUuid: string;
  readonly idempotencyKey: string;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly at: Date;
}

/** Gives the value of a committed transaction back, once (R-LED-07). False when it was reversed already. */
export async function insertReversal(trx: Transaction, request: ReversalRequest): Promise<boolean> {
  const { transaction, at } = request;
  const marked = await trx('ledger_transactions')
    .where({ uuid: transaction.uuid, state: 'committed', is_reversed: false })
    .update({ is_reversed: true, modified: at });
  if (marked === 0) return false;
  await trx('ledger_reversals').insert({
    uuid: newUuid(),
    transaction_uuid: transaction.uuid,
    idempotency_key: request.idempotencyKey,
    quantity_cents: -transaction.quantityCents,
    state: 'committed',
    metadata: request.metadata && JSON.stringify(request.metadata),
    created: at,
    modified: at,
  });
  const after = await findTransaction(trx, transaction.uuid);
  if (!after) return false;
  recordChanges(trx, ledgerTransactionSubject, [{ before: transaction, after, note: 'reversed' }]);
  if (after.lmsUserId !== null)
    await appendToOutbox(trx, at, [transactionChanged('reversed', after, request.ledgerUuid)]);
  await credit(trx, request.ledgerUuid, -transaction.quantityCents);
  return true;
}

export interface DepositEntry {
  readonly uuid: string;
  readonly ledgerUuid: string;
  readonly transaction: LedgerTransaction;
  readonly salesContractReferenceId: string | null;
  readonly providerSlug: string | null;
}

/**
 * Adds value to a ledger, with the transaction and the deposit that account for it. A unique violation means that the key
 * is taken.
 */
export async function insertDeposit(trx: Transaction, entry: DepositEntry): Promise<void> {
  const { ledgerUuid, transaction } = entry;
  const cents = transaction.quantityCents;
  await insertTransaction(trx, ledgerUuid, transaction);
  // Before the deposit's row: its foreign key would lock the ledger shared, and two such locks that become updates deadlock.
  await changeOne(
    trx('ledgers')
      .where({ uuid: ledgerUuid })
      .update({
        balance_cents: trx.raw('balance_cents + ?', [cents]),
        deposits_cents: trx.raw('deposits_cents + ?', [cents]),
      }),
    `deposit of ${cents} cents in ledger ${ledgerUuid}`,
  );
  await trx('ledger_deposits').insert({
    uuid: entry.uuid,
    ledger_uuid: ledgerUuid,
    transaction_uuid: transaction.uuid,
    desired_deposit_quantity_cents: cents,
    sales_contract_reference_id: entry.salesContractReferenceId,
    provider_slug: entry.providerSlug,
    created: transaction.created,
  });
}
