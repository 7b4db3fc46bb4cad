import { isUniqueViolation, type Transaction, transaction } from '@enterprise-access/db';
import { type Actor, isPermitted, missing } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../kernel/page.ts';
import { isStanding, isSubsidyActive } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { TransactionView } from '../ledger/contract.ts';
import * as ledger from '../ledger/index.ts';
import { depositEntry, insertDeposit, viewOfTransaction } from '../ledger/index.ts';
import { initialDepositKey, isAffordable, isWindow, reversalKey } from '../ledger/rules.ts';
import * as contract from './contract.ts';
import { contentNotFound } from './errors.ts';
import { permissions } from './permissions.ts';
import { reverseTransaction } from './reverse.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;
type Reads = Deps & Pick<Runtime, 'settings'>;

const [REFERENCE_TYPE] = contract.referenceTypes;

function viewOf(row: ledger.SubsidyWithTotals, now: Date): contract.SubsidyView {
  const { ledgerUuid: _ledger, isSoftDeleted: _deleted, startingBalanceCents, ...rest } = row;
  const { balanceCents, depositsCents, ...same } = rest;
  return {
    ...same,
    currentBalance: balanceCents,
    startingBalance: startingBalanceCents,
    totalDeposits: depositsCents,
    isActive: isSubsidyActive(row, now),
  };
}

async function found(deps: Pick<Runtime, 'db'>, uuid: string): Promise<ledger.SubsidyWithTotals> {
  const row = await ledger.findSubsidy(deps.db, uuid);
  if (!row) throw notFound({});
  return row;
}

export async function listSubsidies(
  deps: Deps,
  input: Input<typeof contract.listSubsidies>,
): Promise<Page<contract.SubsidyView>> {
  const { rows, count } = await ledger.pageOfSubsidies(deps.db, input, sliceOf(input));
  assertPageExists(input, rows);
  const now = deps.clock();
  return pageOf(
    input,
    rows.map((row) => viewOf(row, now)),
    count,
  );
}

export const getSubsidy = async (deps: Deps, uuid: string): Promise<contract.SubsidyView> =>
  viewOf(await found(deps, uuid), deps.clock());

export async function checkAffordability(
  deps: Reads & Pick<Runtime, 'catalog'>,
  input: Input<typeof contract.canRedeem>,
): Promise<Output<typeof contract.canRedeem>> {
  const subsidy = await found(deps, input.uuid);
  const [content, totals, history] = await Promise.all([
    orUnavailable(deps.catalog.content(subsidy.enterpriseCustomerUuid, input.contentKey)),
    ledger.findSubsidies(deps.db, [subsidy.uuid]),
    ledger.readTransactions(
      ledger
        .selectTransactions(deps.db)
        .where({ 's.uuid': subsidy.uuid, 't.lms_user_id': input.lmsUserId, 't.content_key': input.contentKey })
        .orderBy(['t.created', 't.uuid']),
    ),
  ]);
  if (!content) throw contentNotFound({ contentKey: input.contentKey });
  const { priceCents } = content;
  const hasStandingRedemption = history.some(isStanding);
  // Value reserved for assignments is not available.
  const balanceCents = subsidy.balanceCents - (totals.get(subsidy.uuid)?.reservedCents ?? 0);
  return {
    canRedeem: isAffordable({ hasStandingRedemption, balanceCents, priceCents }),
    contentPrice: priceCents,
    unit: subsidy.unit,
    allTransactions: history.map((made) => viewOfTransaction(made, deps.settings)),
    active: isSubsidyActive(subsidy, deps.clock()),
  };
}

export async function aggregatesByLearner(
  deps: Deps,
  input: Input<typeof contract.aggregatesByLearner>,
): Promise<Output<typeof contract.aggregatesByLearner>> {
  const { uuid } = await found(deps, input.uuid);
  const counts = await ledger.enrollmentCounts(deps.db, uuid, input.subsidyAccessPolicyUuid);
  return [...counts].map(([lmsUserId, total]) => ({ lmsUserId, total }));
}

export async function contentMetadata(
  deps: Pick<Runtime, 'catalog'>,
  input: Input<typeof contract.contentMetadata>,
): Promise<Output<typeof contract.contentMetadata>> {
  const content = await orUnavailable(deps.catalog.content(input.enterpriseCustomerUuid, input.contentIdentifier));
  if (!content) throw notFound({}, { message: 'Content not found' });
  return {
    contentTitle: content.title,
    contentUuid: content.uuid,
    contentKey: content.contentKey,
    courseRunUuid: content.courseRunUuid,
    courseRunKey: content.courseRunKey,
    courseRunStartDate: content.courseRunStartDate,
    source: content.source,
    mode: content.mode,
    contentPrice: content.priceCents,
    enrollByDate: content.enrollByDate,
    geagVariantId: content.variantId,
  };
}

/** Get-or-create by the sales reference: two identical concurrent requests create one subsidy. */
export async function createSubsidy(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.createSubsidy>,
): Promise<Output<typeof contract.createSubsidy>> {
  const now = deps.clock();
  assertWindow(input.defaultActiveDatetime, input.defaultExpirationDatetime, 'default_expiration_datetime');
  const existing = async () => {
    if (input.defaultInternalOnly) return null;
    const row = await ledger.findByReference(deps.db, REFERENCE_TYPE, input.referenceId);
    if (!row) return null;
    // Check the permission for the found subsidy, which can belong to another customer.
    const { permission } = contract.createSubsidy;
    if (!isPermitted(actor, permission, row.enterpriseCustomerUuid)) {
      throw missing(permission);
    }
    return { subsidy: viewOf(row, now), created: false };
  };
  const before = await existing();
  if (before) return before;
  const record = recordOf(input, now);
  try {
    await transaction(deps.db, (trx) => insertWithLedger(trx, record));
  } catch (error) {
    const winner = isUniqueViolation(error) ? await existing() : null;
    if (winner) return winner;
    throw error;
  }
  return { subsidy: await getSubsidy(deps, record.uuid), created: true };
}

const recordOf = (input: Input<typeof contract.createSubsidy>, now: Date): ledger.SubsidyRecord => ({
  uuid: newUuid(),
  title: input.defaultTitle,
  startingBalanceCents: input.defaultStartingBalance,
  ledgerUuid: newUuid(),
  unit: input.defaultUnit,
  referenceId: input.referenceId,
  referenceType: REFERENCE_TYPE,
  enterpriseCustomerUuid: input.defaultEnterpriseCustomerUuid,
  internalOnly: input.defaultInternalOnly,
  revenueCategory: input.defaultRevenueCategory,
  activeDatetime: input.defaultActiveDatetime,
  expirationDatetime: input.defaultExpirationDatetime,
  isSoftDeleted: false,
  created: now,
  modified: now,
});

/** R-LED-10. */
async function insertWithLedger(trx: Transaction, record: ledger.SubsidyRecord): Promise<void> {
  const { uuid, ledgerUuid, enterpriseCustomerUuid, startingBalanceCents: quantityCents, created } = record;
  await ledger.insertSubsidy(trx, record);
  if (quantityCents === 0) return;
  const idempotencyKey = initialDepositKey(uuid, quantityCents);
  await insertDeposit(trx, {
    uuid: newUuid(),
    ledger: { ledgerUuid, enterpriseCustomerUuid },
    transaction: depositEntry(newUuid(), { subsidyUuid: uuid, quantityCents, idempotencyKey }, created),
    salesContractReferenceId: record.referenceId,
    providerSlug: record.referenceType,
  });
}

function assertWindow(active: Date | null, expiration: Date | null, field: string): void {
  if (!isWindow(active, expiration))
    throw invalidInput({ fields: { [field]: ['The end must not precede the start.'] } });
}

/** Starting balance and customer of a subsidy cannot be changed; the same value is allowed. */
function assertFixed(before: ledger.SubsidyRecord, input: Input<typeof contract.updateSubsidy>): void {
  const fixed = {
    enterprise_customer_uuid: [before.enterpriseCustomerUuid, input.enterpriseCustomerUuid],
    unit: [before.unit, input.unit],
    reference_type: [before.referenceType, input.referenceType],
    starting_balance: [before.startingBalanceCents, input.startingBalance],
  };
  const changed = Object.entries(fixed).filter(([, [is, asked]]) => asked !== undefined && asked !== is);
  if (changed.length === 0) return;
  throw invalidInput({
    fields: Object.fromEntries(changed.map(([name]) => [name, ['This field cannot be changed.']])),
  });
}

export async function updateSubsidy(
  deps: Deps,
  input: Input<typeof contract.updateSubsidy>,
): Promise<contract.SubsidyView> {
  const now = deps.clock();
  const keep = <T>(asked: T | undefined, before: T): T => (asked === undefined ? before : asked);
  try {
    await transaction(deps.db, async (trx) => {
      const before = await ledger.findSubsidyForUpdate(trx, input.uuid);
      if (!before) throw notFound({});
      assertFixed(before, input);
      const after: ledger.SubsidyRecord = {
        ...before,
        title: keep(input.title, before.title),
        activeDatetime: keep(input.activeDatetime, before.activeDatetime),
        expirationDatetime: keep(input.expirationDatetime, before.expirationDatetime),
        referenceId: keep(input.referenceId, before.referenceId),
        internalOnly: keep(input.internalOnly, before.internalOnly),
        revenueCategory: keep(input.revenueCategory, before.revenueCategory),
        modified: now,
      };
      assertWindow(after.activeDatetime, after.expirationDatetime, 'expiration_datetime');
      await ledger.changeSubsidy(trx, before, after);
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    const messages = ['Another subsidy has this reference already.'];
    throw invalidInput({ fields: { reference_id: messages } }, { cause: error });
  }
  return getSubsidy(deps, input.uuid);
}

export async function deleteSubsidy(deps: Deps, uuid: string): Promise<Record<string, never>> {
  const now = deps.clock();
  await transaction(deps.db, async (trx) => {
    const before = await ledger.findSubsidyForUpdate(trx, uuid);
    if (!before) throw notFound({});
    const after = { ...before, isSoftDeleted: true, modified: now };
    await ledger.changeSubsidy(trx, before, after);
  });
  return {};
}

export async function listTransactions(
  deps: Reads,
  input: Input<typeof contract.listTransactions>,
): Promise<Output<typeof contract.listTransactions>> {
  const subsidy = await found(deps, input.uuid);
  const { items, count, quantityCents } = await ledger.pageOfTransactions(
    deps.db,
    { ...input, subsidyUuid: subsidy.uuid },
    sliceOf(input),
  );
  assertPageExists(input, items);
  const views = items.map((made) => viewOfTransaction(made, deps.settings));
  const aggregates = {
    unit: subsidy.unit,
    remainingSubsidyBalance: subsidy.balanceCents,
    totalQuantity: quantityCents,
  };
  return { ...pageOf(input, views, count), aggregates: input.includeAggregates ? aggregates : null };
}

export async function ownTransactions(
  deps: Reads,
  actor: Actor,
  input: Input<typeof contract.ownTransactions>,
): Promise<Page<TransactionView>> {
  const { lmsUserId } = actor;
  if (lmsUserId === null) throw notFound({}, { message: 'Could not determine lms_user_id in this request.' });
  const { uuid: subsidyUuid } = await found(deps, input.uuid);
  const filter = { ...input, subsidyUuid, lmsUserId };
  const { items, count } = await ledger.pageOfTransactions(deps.db, filter, sliceOf(input));
  assertPageExists(input, items);
  const views = items.map((made) => viewOfTransaction(made, deps.settings));
  return pageOf(input, views, count);
}

/** Learners see their own transactions; for others the caller needs the permission for the transaction's customer. */
export async function getTransaction(
  deps: Reads,
  actor: Actor,
  customer: string | null,
  uuid: string,
): Promise<TransactionView> {
  const made = await ledger.findTransaction(deps.db, uuid);
  if (!made) throw notFound({});
  const isOwn = actor.lmsUserId !== null && made.lmsUserId === actor.lmsUserId;
  if (!isOwn && !isPermitted(actor, permissions.can_read_all_transactions, customer)) {
    throw missing(contract.getTransaction.permission);
  }
  return viewOfTransaction(made, deps.settings);
}

export async function reverse(
  deps: Reads & Pick<Runtime, 'lms' | 'log'>,
  input: Input<typeof contract.reverse>,
): Promise<TransactionView> {
  const made = await ledger.findTransaction(deps.db, input.transactionUuid);
  if (!made || made.subsidyUuid !== input.uuid) throw notFound({});
  const reversed = await reverseTransaction(deps, {
    transactionUuid: made.uuid,
    idempotencyKey: input.idempotencyKey ?? reversalKey(made.uuid),
    metadata: input.metadata,
  });
  return viewOfTransaction(reversed, deps.settings);
}
