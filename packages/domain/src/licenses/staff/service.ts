import type { Input, Output } from '../../kernel/contract.ts';
import { foldEmail } from '../../kernel/email.ts';
import { notFound } from '../../kernel/errors.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import type { PlanRow } from '../rules.ts';
import * as store from '../store.ts';
import { activationLink, type LicenseRow, planSummaryOf, surroundingsOf } from '../view.ts';
import * as contract from './contract.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

const about = (row: LicenseRow, plan: PlanRow) => ({
  status: row.status,
  assignedDate: row.assignedDate,
  activationDate: row.activationDate,
  revokedDate: row.revokedDate,
  lastRemindDate: row.lastRemindDate,
  subscriptionPlanTitle: plan.title,
  subscriptionPlanExpirationDate: plan.expirationDate,
});

/** Licences with their plans; those of a plan that is being deleted are left out. */
async function withPlans(db: Deps['db'], rows: readonly LicenseRow[]) {
  const plans = await store.plansOf(db, [...new Set(rows.map(({ subscriptionPlanUuid: uuid }) => uuid))]);
  const byUuid = new Map(plans.map((plan) => [plan.uuid, plan]));
  return rows.flatMap((row) => {
    const plan = byUuid.get(row.subscriptionPlanUuid);
    return plan ? [{ row, plan }] : [];
  });
}

export async function lookUp(
  { db, settings }: Deps,
  { userEmail }: Input<typeof contract.lookUp>,
): Promise<Output<typeof contract.lookUp>> {
  const whose = { emailKey: foldEmail(userEmail) };
  const { rows } = await store.licensesOfAddress(db, whose, { offset: 0, limit: contract.MOST_LICENSES });
  if (rows.length === 0) throw notFound({});
  const found = await withPlans(db, rows);
  const agreements = await store.agreementsOf(db, [...new Set(found.map(({ plan }) => plan.customerAgreementUuid))]);
  const slugs = new Map(agreements.map(({ uuid, enterpriseCustomerSlug: slug }) => [uuid, slug]));
  return found.map(({ row, plan }) => ({
    ...about(row, plan),
    activationLink: activationLink(settings, slugs.get(plan.customerAgreementUuid) ?? null, row.activationKey),
  }));
}

export async function listOfLearner(
  deps: Deps,
  input: Input<typeof contract.listOfLearner>,
): Promise<Page<Output<typeof contract.listOfLearner>['items'][number]>> {
  const { userEmail, enterpriseCustomerUuid } = input;
  const whose = { emailKey: foldEmail(userEmail), enterpriseCustomerUuid };
  const { rows, count } = await store.licensesOfAddress(deps.db, whose, sliceOf(input));
  assertPageExists(input, rows);
  const found = await withPlans(deps.db, rows);
  const around = await surroundingsOf(deps, [...new Set(found.map(({ plan }) => plan.customerAgreementUuid))]);
  const items = found.map(({ row, plan }) => ({
    uuid: row.uuid,
    userEmail: row.userEmail,
    ...about(row, plan),
    subscriptionPlan: planSummaryOf(plan, around),
  }));
  return pageOf(input, items, count);
}
