import { randomUUID } from 'node:crypto';
import { Refusal } from './http.ts';
import { commit, createTransaction } from './ledger.ts';
import type { SandboxState } from './state.ts';
import type { Deposit, Subsidy } from './subsidies.ts';
import { hasExpired, remember } from './subsidies.ts';

export interface NewDeposit {
  quantity: number;
  referenceId: string;
  provider: string;
  metadata: unknown;
  idempotencyKey: string | undefined;
}

const refused = (detail: string) => new Refusal(422, { detail, code: 'deposit_creation_error' });

/**
 * Tops a ledger up. With the caller's own key a repeat answers the first deposit; without one, a second deposit of
 * the same quantity and contract is refused, because nothing tells a repeat from a second payment.
 */
export function deposit(
  state: SandboxState,
  subsidy: Subsidy,
  wanted: NewDeposit,
): { deposit: Deposit; created: boolean } {
  const { ledger } = subsidy;
  const derived = `${ledger.uuid}-deposit-${wanted.quantity}-sales-contract-${wanted.referenceId}`;
  const idempotencyKey = wanted.idempotencyKey ?? derived;
  const known = ledger.byKey.get(idempotencyKey);
  if (known) {
    const first = state.subsidies.deposits.get(known.uuid);
    const same =
      first?.desired_deposit_quantity === wanted.quantity &&
      first.sales_contract_reference_id === wanted.referenceId &&
      first.sales_contract_reference_provider === wanted.provider;
    if (!first || !same) throw refused('The idempotency_key belongs to another transaction.');
    if (wanted.idempotencyKey === undefined) throw refused('This deposit exists; send an idempotency_key.');
    return { deposit: first, created: false };
  }
  const now = state.now();
  if (hasExpired(subsidy, now)) {
    const detail = 'Cannot create a deposit in an expired subsidy';
    throw new Refusal(422, { detail, code: 'deposit_on_expired_subsidy' });
  }

  const { quantity, metadata } = wanted;
  const row = createTransaction(ledger, { idempotencyKey, quantity, kind: 'deposit', metadata }, now);
  const transaction = remember(state.subsidies, subsidy, commit(ledger, row, now, null));
  const created = {
    uuid: randomUUID(),
    ledger: ledger.uuid,
    desired_deposit_quantity: quantity,
    transaction: transaction.uuid,
    sales_contract_reference_id: wanted.referenceId,
    sales_contract_reference_provider: wanted.provider,
  };
  state.subsidies.deposits.set(transaction.uuid, created);
  return { deposit: created, created: true };
}
