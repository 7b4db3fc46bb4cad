import { transaction } from '@enterprise-access/db';
import type { Actor, VisibleCustomers } from '../../kernel/actor.ts';
import type { Input, Output } from '../../kernel/contract.ts';
import { assertPageExists, type Page, type PageRequest, pageNumber, pageOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { type AgreementRow, isCurrent, live, type PlanRow } from '../rules.ts';
import type { LicenseRow } from '../store.ts';
import * as store from '../store.ts';
import { agreementSummaryOf, ownLicenseOf, planSummaryOf, type Surroundings, surroundingsOf } from '../view.ts';
import type { LearnerLicense, License } from '../view-contract.ts';
import { callerOf } from './caller.ts';
import * as contract from './learner-contract.ts';
import { searchParts, statusesIn } from './lists.ts';
import { licenseNotFound } from './service.ts';
import { type Holder, licensesOfHolder } from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

const isVisible = (visible: VisibleCustomers, customer: string): boolean =>
  visible === 'all' || visible.includes(customer);

/** A page of rows that are all in memory: nobody has many licences. */
function pageOfAll<T>(request: PageRequest, all: readonly T[]): Page<T> {
  const from = (pageNumber(request) - 1) * request.pageSize;
  const items = all.slice(from, from + request.pageSize);
  assertPageExists(request, items);
  return pageOf(request, items, all.length);
}

interface Filters {
  readonly status?: string | undefined;
  readonly search?: string | undefined;
}

function passes(filters: Filters): (row: LicenseRow) => boolean {
  const statuses = new Set(statusesIn(filters.status));
  const parts = searchParts(filters.search ?? '').map((part) => part.toLowerCase());
  return ({ status, userEmail }) =>
    statuses.has(status) && parts.every((part) => (userEmail ?? '').toLowerCase().includes(part));
}

export async function listOwn(
  { db }: Deps,
  { actor, visibleCustomers }: { readonly actor: Actor; readonly visibleCustomers: VisibleCustomers },
  input: Input<typeof contract.listOwn>,
): Promise<Page<License>> {
  const plan = await store.findPlan(db, input.planUuid);
  if (!plan || !isVisible(visibleCustomers, plan.enterpriseCustomerUuid)) return pageOf(input, [], 0);
  const rows = await licensesOfHolder(db, { subscription_plan_uuid: plan.uuid }, await callerOf(db, actor));
  const shown = rows.filter(({ status }) => status !== 'revoked').filter(passes(input));
  return pageOfAll(input, shown.map(ownLicenseOf));
}

export async function getOwn({ db }: Deps, actor: Actor, input: Input<typeof contract.getOwn>): Promise<License> {
  const rows = await licensesOfHolder(db, { subscription_plan_uuid: input.planUuid }, await callerOf(db, actor));
  const row = rows.find(({ uuid, status }) => uuid === input.uuid && status !== 'revoked');
  if (!row) throw licenseNotFound();
  return ownLicenseOf(row);
}

/** A licence as its holder sees it, with plan and agreement. */
export const learnerLicenseOf = (
  license: LicenseRow,
  plan: PlanRow,
  agreement: AgreementRow,
  around: Surroundings,
): LearnerLicense => ({
  ...ownLicenseOf(license),
  customerAgreement: agreementSummaryOf(agreement, around),
  subscriptionPlan: planSummaryOf(plan, around),
});

const byStatusThenExpiration = (a: Held, b: Held): number =>
  a.row.status.localeCompare(b.row.status) ||
  b.plan.expirationDate.getTime() - a.plan.expirationDate.getTime() ||
  (a.row.uuid < b.row.uuid ? -1 : 1);

interface Held {
  readonly row: LicenseRow;
  readonly plan: PlanRow;
}

/** Licences of the holder with their plans, which are in the surroundings. */
export const heldOf = (rows: readonly LicenseRow[], plans: ReadonlyMap<string, PlanRow>): Held[] =>
  rows.flatMap((row) => {
    const plan = plans.get(row.subscriptionPlanUuid);
    return plan ? [{ row, plan }] : [];
  });

/** The caller's licences; nothing of customers that the caller has no role for (W-05), and nothing is written (W-40). */
export async function listMine(
  deps: Deps,
  { actor, visibleCustomers }: { readonly actor: Actor; readonly visibleCustomers: VisibleCustomers },
  input: Input<typeof contract.listMine>,
): Promise<Output<typeof contract.listMine>> {
  const { enterpriseCustomerUuid: customer } = input;
  const agreement = isVisible(visibleCustomers, customer) ? await store.agreementOfCustomer(deps.db, customer) : null;
  if (!agreement) return { ...pageOf(input, [], 0), customerAgreement: null };
  const caller = await callerOf(deps.db, actor);
  const [rows, around] = await Promise.all([
    licensesOfHolder(deps.db, { enterprise_customer_uuid: customer }, caller),
    surroundingsOf(deps, [agreement.uuid]),
  ]);
  const shown = heldOf(rows.filter(passes(input)), around.plans)
    .filter(({ row }) => input.includeRevoked || row.status !== 'revoked')
    .filter(({ plan }) => !input.activePlansOnly || plan.isActive)
    .filter(({ plan }) => !input.currentPlansOnly || isCurrent(plan, around.now))
    .toSorted(byStatusThenExpiration);
  const licenses = shown.map(({ row, plan }) => learnerLicenseOf(row, plan, agreement, around));
  return { ...pageOfAll(input, licenses), customerAgreement: agreementSummaryOf(agreement, around) };
}

/** The holder, who must have an address and an account. */
async function knownCallerOf(
  { db }: Pick<Runtime, 'db'>,
  actor: Actor,
): Promise<Holder & { readonly emailKey: string; readonly lmsUserId: number }> {
  const { emailKey, lmsUserId } = await callerOf(db, actor);
  if (emailKey === null) throw contract.addressUnknown({});
  if (lmsUserId === null) throw contract.accountUnknown({});
  return { emailKey, lmsUserId };
}

/**
 * The licences of the caller's account take the account's present address. A licence keeps its own where the new address
 * has another live licence of the plan: which of the two the learner keeps is decided by administrators.
 */
export async function followAddress(
  deps: Deps,
  actor: Actor,
  { enterpriseCustomerUuid }: Input<typeof contract.followAddress>,
): Promise<Output<typeof contract.followAddress>> {
  const { emailKey, lmsUserId } = await knownCallerOf(deps, actor);
  const where = { enterprise_customer_uuid: enterpriseCustomerUuid };
  const hasOther = (row: LicenseRow) =>
    row.lmsUserId === lmsUserId && row.userEmail !== null && row.userEmail !== emailKey;
  const seen = await licensesOfHolder(deps.db, where, { lmsUserId, emailKey: null });
  const planUuids = [...new Set(seen.filter(hasOther).map((row) => row.subscriptionPlanUuid))].toSorted();
  let [moved, kept] = [0, 0];
  for (const planUuid of planUuids) {
    const [here, stays] = await transaction(deps.db, async (trx) => {
      const plan = await store.holdPlan(trx, planUuid);
      if (!plan) return [0, 0];
      const rows = await licensesOfHolder(trx, { subscription_plan_uuid: planUuid }, { lmsUserId, emailKey });
      const isTaken = rows.some((row) => live.has(row.status) && row.userEmail === emailKey);
      const mine = rows.filter(hasOther);
      const moving = mine.filter((row) => !live.has(row.status) || !isTaken);
      const change = { userEmail: emailKey, modified: deps.clock() };
      await store.changeLicenses(trx, planUuid, moving, change, 'followed the address of the account');
      return [moving.length, mine.length - moving.length];
    });
    moved += here ?? 0;
    kept += stays ?? 0;
  }
  return { moved, kept };
}
