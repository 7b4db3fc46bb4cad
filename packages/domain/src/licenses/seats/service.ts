import type { VisibleCustomers } from '../../kernel/actor.ts';
import type { Input, Output } from '../../kernel/contract.ts';
import { notFound } from '../../kernel/errors.ts';
import { orderTerms } from '../../kernel/order.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { planNotFound } from '../plans/service.ts';
import { live } from '../rules.ts';
import * as store from '../store.ts';
import { licenseOf } from '../view.ts';
import type { License } from '../view-contract.ts';
import type * as contract from './contract.ts';
import { countsByStatus, type LicenseFilter, orders, pageOfLicenses, statusesIn } from './lists.ts';

type Deps = Pick<Runtime, 'db'>;

export const licenseNotFound = () => notFound({}, { message: 'No License matches the given query.' });

const filterOf = (input: {
  status?: string | undefined;
  ignoreNullEmails?: boolean | undefined;
  search?: string | undefined;
  activeOnly?: number | undefined;
}): LicenseFilter => ({
  statuses: statusesIn(input.status).filter((status) => !input.activeOnly || live.has(status)),
  ignoreNullEmails: input.ignoreNullEmails ?? false,
  search: input.search,
});

export async function list(
  { db }: Deps,
  visible: VisibleCustomers,
  input: Input<typeof contract.list>,
): Promise<Page<License>> {
  const plan = await store.findPlan(db, input.planUuid);
  // The list of a plan that the caller must not see is empty, like that of a plan that does not exist (R-RBAC-10).
  if (!plan || (visible !== 'all' && !visible.includes(plan.enterpriseCustomerUuid))) return pageOf(input, [], 0);
  const filter = filterOf(input);
  const [order] = orderTerms(input.ordering, orders, { field: 'status', direction: 'asc' });
  const [rows, counts] = await Promise.all([
    pageOfLicenses(db, plan.uuid, filter, order, sliceOf(input)),
    countsByStatus(db, plan, filter),
  ]);
  assertPageExists(input, rows);
  const count = [...counts.values()].reduce((sum, n) => sum + n, 0);
  return pageOf(input, rows.map(licenseOf), count);
}

export async function get({ db }: Deps, input: Input<typeof contract.get>): Promise<License> {
  const row = await store.findLicense(db, input.planUuid, input.uuid);
  if (!row) throw licenseNotFound();
  return licenseOf(row);
}

export async function overview(
  { db }: Deps,
  input: Input<typeof contract.overview>,
): Promise<Output<typeof contract.overview>> {
  const plan = await store.findPlan(db, input.planUuid);
  if (!plan) throw planNotFound();
  const counts = await countsByStatus(db, plan, filterOf(input));
  return [...counts]
    .map(([status, count]) => ({ status, count }))
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count);
}
