import { createHash } from 'node:crypto';
import type { Connection } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { addDeposit, depositEntry, findDeposit, findSubsidy, isProvider } from '../ledger/index.ts';
import { depositKey, isExpired, storedKeysOf } from '../ledger/rules.ts';
import type * as contract from './contract.ts';
import { depositNotCreated, depositOnExpiredSubsidy } from './errors.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;
type Deposit = Input<typeof contract.createDeposit>;

/** Keys to find the deposit by, first the one for a new deposit. Keys from headers are per caller. */
function keysOf(actor: Actor, ledgerUuid: string, input: Deposit, header: string | null): readonly string[] {
  if (input.idempotencyKey !== null) return storedKeysOf(input.idempotencyKey);
  if (header !== null) return [`deposit-${createHash('sha256').update(`${actor.username}\n${header}`).digest('hex')}`];
  return [depositKey(ledgerUuid, input.desiredDepositQuantity, input.salesContractReferenceId)];
}

const ROUNDS = 2;

/**
 * Adds value once per key. Without a caller's key, the key is made of amount and line item, and a repeat is refused:
 * it could be meant as a second deposit, which must not be dropped silently.
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
  const { ledgerUuid, enterpriseCustomerUuid } = subsidy;
  const [idempotencyKey = '', ...olderForms] = keysOf(actor, ledgerUuid, input, header);
  const isKeyOfCaller = input.idempotencyKey !== null || header !== null;
  const made: contract.DepositView = {
    uuid: newUuid(),
    ledger: ledgerUuid,
    desiredDepositQuantity: input.desiredDepositQuantity,
    transaction: newUuid(),
    salesContractReferenceId: input.salesContractReferenceId,
    salesContractReferenceProvider: input.salesContractReferenceProvider,
  };
  const quantity = { subsidyUuid: subsidy.uuid, quantityCents: input.desiredDepositQuantity, idempotencyKey };
  const entry = {
    uuid: made.uuid,
    ledger: { ledgerUuid, enterpriseCustomerUuid },
    transaction: { ...depositEntry(made.transaction, quantity, now), metadata: input.metadata },
    salesContractReferenceId: made.salesContractReferenceId,
    providerSlug: made.salesContractReferenceProvider,
  };
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = await findDeposit(deps.db, ledgerUuid, [idempotencyKey, ...olderForms]);
    if (before === 'other' || (before && !(isKeyOfCaller && isSame(before, made)))) throw depositNotCreated({});
    if (before) return { deposit: before, created: false };
    if (isExpired(subsidy.expirationDatetime, now)) throw depositOnExpiredSubsidy({});
    if (await addDeposit(deps.db, entry)) return { deposit: made, created: true };
    // A concurrent request has used this key: the next round finds its deposit.
  }
  throw depositNotCreated({});
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
