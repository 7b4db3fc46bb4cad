import { createHash } from 'node:crypto';
import { type Connection, transaction } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { depositEntry, findDeposit, findSubsidy, holdLedger, insertDeposit, isProvider } from '../ledger/index.ts';
import { depositKey, isExpired } from '../ledger/rules.ts';
import type * as contract from './contract.ts';
import { depositNotCreated, depositOnExpiredSubsidy } from './errors.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;
type Deposit = Input<typeof contract.createDeposit>;

/** The key that the caller gave, in the body or in the header; callers share no keys of headers. */
function keyOfCaller(actor: Actor, input: Deposit, header: string | null): string | null {
  if (input.idempotencyKey !== null || header === null) return input.idempotencyKey;
  return `deposit-${createHash('sha256').update(`${actor.username}\n${header}`).digest('hex')}`;
}

/**
 * Adds value once per key. Without a key of the caller's, amount and line item are the key, and a repeat is refused: it
 * may as well be meant as a second deposit, which must not vanish silently.
 */
export async function createDeposit(
  deps: Deps,
  actor: Actor,
  input: Deposit,
  header: string | null,
): Promise<Output<typeof contract.createDeposit>> {
  const subsidy = await findSubsidy(deps.db, input.uuid);
  if (!subsidy) throw notFound({});
  await assertProvider(deps.db, input.salesContractReferenceProvider);
  const now = deps.clock();
  const { ledgerUuid } = subsidy;
  const ofCaller = keyOfCaller(actor, input, header);
  const idempotencyKey =
    ofCaller ?? depositKey(ledgerUuid, input.desiredDepositQuantity, input.salesContractReferenceId);
  const made: contract.DepositView = {
    uuid: newUuid(),
    ledger: ledgerUuid,
    desiredDepositQuantity: input.desiredDepositQuantity,
    transaction: newUuid(),
    salesContractReferenceId: input.salesContractReferenceId,
    salesContractReferenceProvider: input.salesContractReferenceProvider,
  };
  return transaction(deps.db, async (trx) => {
    // The held row keeps a second caller with this key behind us.
    await holdLedger(trx, ledgerUuid);
    const before = await findDeposit(trx, ledgerUuid, idempotencyKey);
    if (before === 'other' || (before && (ofCaller === null || !isSame(before, made)))) throw depositNotCreated({});
    if (before) return { deposit: before, created: false };
    if (isExpired(subsidy.expirationDatetime, now)) throw depositOnExpiredSubsidy({});
    const quantity = { subsidyUuid: subsidy.uuid, quantityCents: input.desiredDepositQuantity, idempotencyKey };
    await insertDeposit(trx, {
      uuid: made.uuid,
      ledgerUuid,
      transaction: { ...depositEntry(made.transaction, quantity, now), metadata: input.metadata },
      salesContractReferenceId: made.salesContractReferenceId,
      providerSlug: made.salesContractReferenceProvider,
    });
    return { deposit: made, created: true };
  });
}

const isSame = (a: contract.DepositView, b: contract.DepositView): boolean =>
  a.desiredDepositQuantity === b.desiredDepositQuantity &&
  a.salesContractReferenceId === b.salesContractReferenceId &&
  a.salesContractReferenceProvider === b.salesContractReferenceProvider;

async function assertProvider(db: Connection, slug: string): Promise<void> {
  if (await isProvider(db, slug)) return;
  throw invalidInput({
    fields: { sales_contract_reference_provider: [`Object with slug=${slug} does not exist.`] },
  });
}
