import { isDeepStrictEqual } from 'node:util';
import { appendToOutbox, type Transaction, transaction } from '@enterprise-access/db';
import type { Input } from '../kernel/contract.ts';
import { invalidInput, notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { type Page, pageNumber, pageOf } from '../kernel/page.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as configurations from './assignment-configurations.ts';
import * as contract from './contract.ts';
import { policyChanged } from './events.ts';
import { brokenConstraints, ceilingApplies, ceilingMessage, endOfDayIn, retiredAt } from './rules.ts';
import * as store from './store.ts';
import { type PolicyRow, policies } from './tables.ts';
import { viewsOf } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'ledger' | 'catalog' | 'settings'>;

const NO_POLICY = 'No SubsidyAccessPolicy matches the given query.';
export const policyNotFound = () => notFound({}, { message: NO_POLICY });

export async function list(deps: Deps, input: Input<typeof contract.list>): Promise<Page<contract.Policy>> {
  const page = pageNumber(input);
  const { rows, count } = await store.page(deps.db, input, {
    offset: (page - 1) * input.pageSize,
    limit: input.pageSize,
  });
  if (page > 1 && rows.length === 0) throw notFound({}, { message: 'Invalid page.' });
  return pageOf(input, await viewsOf(deps, rows), count);
}

export async function get(deps: Deps, uuid: string): Promise<contract.Policy> {
  const row = await store.find(deps.db, uuid);
  if (!row) throw policyNotFound();
  return view(deps, row);
}

async function view(deps: Deps, row: PolicyRow): Promise<contract.Policy> {
  const [only] = await viewsOf(deps, [row]);
  if (!only) throw policyNotFound();
  return only;
}

/** The stored names of the writable fields. */
function columnsOf(input: Partial<Input<typeof contract.create>>): Partial<PolicyRow> {
  const { spendLimit, perLearnerSpendLimit, ...same } = input;
  return {
    ...same,
    ...(spendLimit === undefined ? {} : { spendLimitCents: spendLimit }),
    ...(perLearnerSpendLimit === undefined ? {} : { perLearnerSpendLimitCents: perLearnerSpendLimit }),
  };
}

/** Get-or-create: two identical requests at once make one policy (R-POL-08). */
export async function create(deps: Deps, input: Input<typeof contract.create>) {
  const now = deps.clock();
  const isAssigned = input.policyType === 'AssignedLearnerCreditAccessPolicy';
  const row = {
    ...columnsOf(input),
    uuid: newUuid(),
    accessMethod: isAssigned ? ('assigned' as const) : input.accessMethod,
    retiredAt: retiredAt(null, input, now),
    assignmentConfigurationUuid: isAssigned ? newUuid() : null,
    learnerCreditRequestConfigUuid: null,
    spentCents: 0,
    allocatedCents: 0,
    created: now,
    modified: now,
  } as PolicyRow;
  assertTypeConstraints(row);
  const depositsCents = await depositsOf(deps, row);
  await assertCatalog(deps, row);
  const result = await transaction(deps.db, async (trx) => {
    await store.holdCeiling(trx, row);
    const existing = await policies
      .query(trx)
      .where({
        policy_type: row.policyType,
        enterprise_customer_uuid: row.enterpriseCustomerUuid,
        subsidy_uuid: row.subsidyUuid,
        catalog_uuid: row.catalogUuid,
        access_method: row.accessMethod,
        active: true,
      })
      .orderBy('created')
      .first();
    if (existing) return { row: existing, created: false };
    if (row.assignmentConfigurationUuid !== null) {
      const configuration = {
        uuid: row.assignmentConfigurationUuid,
        enterpriseCustomerUuid: row.enterpriseCustomerUuid,
      };
      await configurations.insert(trx, configuration, now);
    }
    await policies.insert(trx, row);
    await assertCeiling(trx, null, row, depositsCents);
    await appendToOutbox(trx, now, [policyChanged('created', row)]);
    return { row, created: true };
  });
  return { policy: await view(deps, result.row), created: result.created };
}

export async function update(deps: Deps, input: Input<typeof contract.update>): Promise<contract.Policy> {
  const { uuid, subsidyActiveDatetime: _a, subsidyExpirationDatetime: _b, isSubsidyActive: _c, ...changes } = input;
  // A field with value undefined is not a change.
  const named = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  return change(deps, uuid, () => columnsOf(named));
}

/** Soft deletion; a policy that is inactive already stays as it is (R-POL-11). */
export async function deactivate(deps: Deps, input: Input<typeof contract.deactivate>): Promise<contract.Policy> {
  return change(deps, input.uuid, (row) => (row.active ? { active: false } : null));
}

export async function setLateRedemption(
  deps: Deps,
  input: Input<typeof contract.setLateRedemption>,
): Promise<contract.Policy> {
  const until = input.days === null ? null : endOfDayIn(input.days, deps.clock());
  return change(deps, input.uuid, () => ({
    lateRedemptionAllowedUntil: until,
  }));
}

/** Applies a change to a policy: lock, check the rules, store with history and event. */
async function change(
  deps: Deps,
  uuid: string,
  changesOf: (row: PolicyRow) => Partial<PolicyRow> | null,
): Promise<contract.Policy> {
  const known = await store.find(deps.db, uuid);
  if (!known) throw policyNotFound();
  const now = deps.clock();
  const asked = { ...known, ...changesOf(known) } as PolicyRow;
  const depositsCents = await depositsOf(deps, asked);
  if (asked.catalogUuid !== known.catalogUuid) await assertCatalog(deps, asked);
  const row = await transaction(deps.db, async (trx) => {
    await store.holdCeiling(trx, asked);
    const before = await store.findForUpdate(trx, uuid);
    if (!before) throw policyNotFound();
    const changes = changesOf(before);
    if (changes === null) return before;
    const after = { ...before, ...changes } as PolicyRow;
    if (after.policyType === 'AssignedLearnerCreditAccessPolicy') after.accessMethod = 'assigned';
    after.retiredAt = retiredAt(before, after, now);
    assertTypeConstraints(after);
    // Nothing changed: write no history and no event.
    if (isDeepStrictEqual({ ...after }, { ...before })) return before;
    after.modified = now;
    assertMayDeactivate(deps, before, after);
    await assertMayMove(trx, before, after);
    await policies.change(trx, before, after);
    await assertCeiling(trx, before, after, depositsCents);
    const wasDeleted = before.active && !after.active;
    await appendToOutbox(trx, now, [policyChanged(wasDeleted ? 'deleted' : 'updated', after)]);
    return after;
  });
  return view(deps, row);
}

const describe = (row: PolicyRow): string => `<${row.policyType} uuid=${row.uuid}>`;

type Violation = { readonly field: string; readonly message: string };

/** The error with all violations by field. */
function invalid(kind: 'constraint' | 'guard', broken: readonly [Violation, ...Violation[]], message?: string) {
  const fields: Record<string, string[]> = {};
  for (const each of broken) fields[each.field] = [...(fields[each.field] ?? []), each.message];
  const [{ field }] = broken;
  return contract.invalidPolicy(
    { field, messages: fields[field] ?? [], fields, kind },
    message === undefined ? {} : { message },
  );
}

function assertTypeConstraints(row: PolicyRow): void {
  const [broken, ...more] = brokenConstraints(row);
  if (!broken) return;
  const all = [broken, ...more] as const;
  const sentences = all.map(({ message }) => `'${message}'`).join(', ');
  throw invalid('constraint', all, `${describe(row)} has the following field violations: [${sentences}]`);
}

function assertMayDeactivate(deps: Pick<Runtime, 'settings'>, before: PolicyRow, after: PolicyRow): void {
  if (!before.active || after.active || deps.settings.allowDeactivationWithSpend || before.spentCents === 0) return;
  throw invalid('guard', [{ field: 'active', message: 'Cannot deactivate this policy while it has existing spend.' }]);
}

/**
 * A policy cannot move to another subsidy while it has allocated assignments or an open deposit, because their value
 * is in the old subsidy.
 */
async function assertMayMove(trx: Transaction, before: PolicyRow, after: PolicyRow): Promise<void> {
  if (before.subsidyUuid === after.subsidyUuid) return;
  const inTheWay = before.allocatedCents > 0 ? 'it has allocated assignments' : 'a deposit is being completed';
  if (before.allocatedCents === 0 && !(await store.hasPendingDeposit(trx, before.uuid))) return;
  throw invalid('guard', [
    { field: 'subsidyUuid', message: `Cannot change the subsidy of this policy while ${inTheWay}.` },
  ]);
}

async function assertCeiling(
  trx: Transaction,
  before: PolicyRow | null,
  after: PolicyRow,
  depositsCents: number,
): Promise<void> {
  const moved = before !== null && before.subsidyUuid !== after.subsidyUuid;
  if (!moved && !ceilingApplies(before, after)) return;
  if (!after.active) return;
  const limits = await store.limitsBySubsidy(trx, after.enterpriseCustomerUuid, [after.subsidyUuid]);
  const limitsCents = limits.get(after.subsidyUuid) ?? 0;
  if (limitsCents <= depositsCents) return;
  throw invalid('guard', [
    { field: 'spendLimit', message: ceilingMessage(describe(after), limitsCents, depositsCents) },
  ]);
}

/** Total deposits of the policy's subsidy. Throws if the subsidy belongs to another customer. */
async function depositsOf(deps: Pick<Runtime, 'ledger'>, row: PolicyRow): Promise<number> {
  const subsidy = (await orUnavailable(deps.ledger.subsidies([row.subsidyUuid]))).get(row.subsidyUuid);
  assertOwn('subsidy_uuid', row, subsidy?.enterpriseCustomerUuid ?? null);
  return subsidy?.depositsCents ?? 0;
}

async function assertCatalog(deps: Pick<Runtime, 'catalog'>, row: PolicyRow): Promise<void> {
  assertOwn('catalog_uuid', row, await orUnavailable(deps.catalog.customerOf(row.catalogUuid)));
}

/**
 * Rejects resources of other customers. Unknown resources are allowed: they may be created later, and until then
 * nothing can be redeemed.
 */
function assertOwn(field: string, row: PolicyRow, customerUuid: string | null): void {
  if (customerUuid === null || customerUuid === row.enterpriseCustomerUuid) return;
  throw invalidInput({ fields: { [field]: ['This belongs to another enterprise customer.'] } });
}
