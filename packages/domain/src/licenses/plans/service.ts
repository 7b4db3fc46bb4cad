import type { VisibleCustomers } from '../../kernel/actor.ts';
import type { Input } from '../../kernel/contract.ts';
import { notFound } from '../../kernel/errors.ts';
import { assertPageExists, type Page, type PageRequest, pageOf, sliceOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import type { PlanRow } from '../rules.ts';
import * as store from '../store.ts';
import { planOf, surroundingsOf } from '../view.ts';
import type { Plan } from '../view-contract.ts';
import * as contract from './contract.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

export const planNotFound = () => notFound({}, { message: 'No SubscriptionPlan matches the given query.' });

async function viewsOf(deps: Deps, rows: readonly PlanRow[]): Promise<Plan[]> {
  const around = await surroundingsOf(deps, [...new Set(rows.map(({ customerAgreementUuid: uuid }) => uuid))]);
  return rows.map((row) => planOf(row, around));
}

/** A page of plans: five statements. */
export async function pageOfPlans(deps: Deps, filter: store.PlanFilter, request: PageRequest): Promise<Page<Plan>> {
  const { rows, count } = await store.pageOfPlans(deps.db, filter, sliceOf(request));
  assertPageExists(request, rows);
  return pageOf(request, await viewsOf(deps, rows), count);
}

export function list(
  deps: Deps,
  visible: VisibleCustomers,
  input: Input<typeof contract.list>,
): Promise<Page<Plan>> | never {
  const { enterpriseCustomerUuid, current = false } = input;
  if (current && enterpriseCustomerUuid === undefined) throw contract.currentNeedsCustomer({});
  const filter = { visible, enterpriseCustomerUuid, activeOnly: enterpriseCustomerUuid !== undefined };
  return pageOfPlans(deps, { ...filter, currentAt: current ? deps.clock() : undefined }, input);
}

export async function get(deps: Deps, uuid: string): Promise<Plan> {
  const row = await store.findPlan(deps.db, uuid);
  const [view] = row ? await viewsOf(deps, [row]) : [];
  if (!view) throw planNotFound();
  return view;
}

export async function listForLearners(
  deps: Deps,
  visible: VisibleCustomers,
  input: Input<typeof contract.listForLearners>,
): Promise<Page<Plan>> {
  const { enterpriseCustomerUuid } = input;
  if (enterpriseCustomerUuid === undefined) return pageOf(input, [], 0);
  return pageOfPlans(deps, { visible, enterpriseCustomerUuid, activeOnly: true }, input);
}

export async function getForLearners(deps: Deps, input: Input<typeof contract.getForLearners>): Promise<Plan> {
  const row = await store.findPlan(deps.db, input.uuid);
  const isShown = row?.isActive && row.enterpriseCustomerUuid === input.enterpriseCustomerUuid;
  const [view] = row && isShown ? await viewsOf(deps, [row]) : [];
  if (!view) throw planNotFound();
  return view;
}
