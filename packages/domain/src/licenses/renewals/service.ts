import { type Connection, isUniqueViolation, type Transaction, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../../kernel/contract.ts';
import { type FieldErrors, invalidInput } from '../../kernel/errors.ts';
import { newUuid } from '../../kernel/ids.ts';
import { assertPageExists, type Page, pageOf, sliceOf } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import * as provisioningStore from '../provisioning-store.ts';
import { licenseCount, type PlanRow, type RenewalRow } from '../rules.ts';
import * as plansStore from '../store.ts';
import { subscriptionPlanRenewals } from '../tables.ts';
import type { Renewal } from '../view-contract.ts';
import * as contract from './contract.ts';
import { renewalNotFound } from './errors.ts';
import { processRenewal } from './process.ts';
import {
  autoApplyAfter,
  CIRCLE,
  closesCircle,
  copies,
  draftProblem,
  problemOf,
  refusalOf,
  renewedTitle,
} from './rules.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;

const bad = (fields: FieldErrors) => invalidInput({ fields });

const viewOf = (row: RenewalRow, plans: ReadonlyMap<string, PlanRow>): Renewal => ({
  id: row.id,
  created: row.created,
  modified: row.modified,
  priorSubscriptionPlan: row.priorSubscriptionPlanUuid,
  priorSubscriptionPlanTitle: plans.get(row.priorSubscriptionPlanUuid)?.title ?? '',
  renewedSubscriptionPlan: row.renewedSubscriptionPlanUuid,
  renewedSubscriptionPlanTitle: plans.get(row.renewedSubscriptionPlanUuid ?? '')?.title ?? null,
  salesforceOpportunityId: row.salesforceOpportunityId,
  numberOfLicenses: row.numberOfLicenses,
  effectiveDate: row.effectiveDate,
  renewedExpirationDate: row.renewedExpirationDate,
  processed: row.processed,
  processedDatetime: row.processedDatetime,
  renewedPlanTitle: row.renewedPlanTitle,
  licenseTypesToCopy: row.licenseTypesToCopy,
  disableAutoApplyLicenses: row.disableAutoApplyLicenses,
  exemptFromBatchProcessing: row.exemptFromBatchProcessing,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
});

async function views({ db }: Pick<Deps, 'db'>, rows: readonly RenewalRow[]): Promise<Renewal[]> {
  const uuids = rows.flatMap((row) => [row.priorSubscriptionPlanUuid, row.renewedSubscriptionPlanUuid]);
  const plans = await store.plansByUuid(db, uuids);
  return rows.map((row) => viewOf(row, plans));
}

async function shown(deps: Pick<Deps, 'db'>, row: RenewalRow): Promise<Renewal> {
  const [view] = await views(deps, [row]);
  if (!view) throw renewalNotFound();
  return view;
}

const CHOICE = 'Select a valid choice. That choice is not one of the available choices.';

export async function list({ db }: Deps, input: Input<typeof contract.list>): Promise<Page<Renewal>> {
  const { priorSubscriptionPlan, renewedSubscriptionPlan } = input;
  const asked = { prior_subscription_plan: priorSubscriptionPlan, renewed_subscription_plan: renewedSubscriptionPlan };
  const known = await store.plansByUuid(
    db,
    Object.values(asked).map((uuid) => uuid ?? null),
  );
  const unknown = Object.entries(asked).filter(([, uuid]) => uuid !== undefined && !known.has(uuid));
  if (unknown.length > 0) throw bad(Object.fromEntries(unknown.map(([field]) => [field, [CHOICE]])));
  const { rows, count } = await store.page(db, input, sliceOf(input));
  assertPageExists(input, rows);
  return pageOf(input, await views({ db }, rows), count);
}

async function found(db: Connection, id: number): Promise<RenewalRow> {
  const row = await store.find(db, id);
  if (!row) throw renewalNotFound();
  return row;
}

export const get = async (deps: Deps, id: number): Promise<Renewal> => shown(deps, await found(deps.db, id));

/** The plans of an input; a plan that does not exist is bad input. */
async function plansOf({ db }: Pick<Deps, 'db'>, prior: string, renewed: string | null) {
  const plans = await store.plansByUuid(db, [prior, renewed]);
  const missing = (field: string, uuid: string): FieldErrors => ({
    [field]: [`Invalid pk "${uuid}" - object does not exist.`],
  });
  const priorPlan = plans.get(prior);
  const renewedPlan = renewed === null ? null : plans.get(renewed);
  if (!priorPlan || renewedPlan === undefined)
    throw bad({
      ...(priorPlan ? {} : missing('prior_subscription_plan', prior)),
      ...(renewedPlan === undefined ? missing('renewed_subscription_plan', renewed ?? '') : {}),
    });
  return { prior: priorPlan, renewed: renewedPlan };
}

type Creation = Input<typeof contract.create>;

export async function create(deps: Deps, input: Creation): Promise<Output<typeof contract.create>> {
  const { priorSubscriptionPlan: priorUuid, renewedSubscriptionPlan: renewedUuid } = input;
  const { prior, renewed } = await plansOf(deps, priorUuid, renewedUuid);
  const { effectiveDate, renewedExpirationDate } = input;
  const problem = draftProblem({ prior, renewed, effectiveDate, renewedExpirationDate });
  if (problem !== null) throw bad(problemOf(problem));
  const { row, created } = await transaction(deps.db, (trx) => createWithin(trx, input, prior, deps.clock()));
  if (!created && row.renewedSubscriptionPlanUuid === renewedUuid && row.priorSubscriptionPlanUuid === priorUuid)
    return { renewal: await shown(deps, row), created };
  if (!created) throw contract.renewalConflict({ renewal: await shown(deps, row) });
  return { renewal: await shown(deps, row), created };
}

/** The stored renewal, or the one that is in its way. Renewals of an agreement change under its lock only. */
async function createWithin(trx: Transaction, input: Creation, prior: PlanRow, now: Date) {
  const { priorSubscriptionPlan, renewedSubscriptionPlan, ...fields } = input;
  await provisioningStore.touchAgreement(trx, prior.customerAgreementUuid, now);
  const [existing] = await store.touching(trx, priorSubscriptionPlan, renewedSubscriptionPlan);
  if (existing) return { row: existing, created: false };
  await assertNoCircle(trx, prior, renewedSubscriptionPlan);
  const row = await store.insert(trx, {
    ...fields,
    uuid: newUuid(),
    enterpriseCustomerUuid: prior.enterpriseCustomerUuid,
    customerAgreementUuid: prior.customerAgreementUuid,
    priorSubscriptionPlanUuid: priorSubscriptionPlan,
    renewedSubscriptionPlanUuid: renewedSubscriptionPlan,
    processed: false,
    processedDatetime: null,
    created: now,
    modified: now,
  });
  return { row, created: true };
}

async function assertNoCircle(trx: Transaction, prior: PlanRow, renewedUuid: string | null, id?: number) {
  if (renewedUuid === null) return;
  const all = await plansStore.renewalsOfAgreements(trx, [prior.customerAgreementUuid]);
  const others = all.filter((each) => each.id !== id);
  if (closesCircle(prior.uuid, renewedUuid, others)) throw bad(problemOf(CIRCLE));
}

type Update = Input<typeof contract.update>;

export async function update(deps: Deps, { id, ...input }: Update): Promise<Renewal> {
  const known = await found(deps.db, id);
  const change = changeOf(input);
  const renewedUuid =
    input.renewedSubscriptionPlan === undefined ? known.renewedSubscriptionPlanUuid : input.renewedSubscriptionPlan;
  const plans = await plansOf(deps, known.priorSubscriptionPlanUuid, renewedUuid);
  if (plans.renewed && plans.renewed.customerAgreementUuid !== plans.prior.customerAgreementUuid)
    throw bad(problemOf('Renewed subscription plan must belong to the same customer agreement as the prior plan.'));
  try {
    const row = await transaction(deps.db, async (trx) => {
      const now = deps.clock();
      await provisioningStore.touchAgreement(trx, known.customerAgreementUuid, now);
      const before = await found(trx, id);
      const after: RenewalRow = { ...before, ...change, modified: now };
      const problem = draftProblem({ ...plans, ...after });
      if (problem !== null) throw bad(problemOf(problem));
      await assertNoCircle(trx, plans.prior, after.renewedSubscriptionPlanUuid, id);
      await subscriptionPlanRenewals.change(trx, before, after);
      return after;
    });
    return await shown(deps, row);
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw invalidInput({ fields: { renewed_subscription_plan: ['This field must be unique.'] } }, { cause: error });
  }
}

function changeOf({ renewedSubscriptionPlan, ...fields }: Omit<Update, 'id'>): Partial<RenewalRow> {
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return {
    ...given,
    ...(renewedSubscriptionPlan === undefined ? {} : { renewedSubscriptionPlanUuid: renewedSubscriptionPlan }),
  };
}

export async function remove(deps: Deps, id: number): Promise<{ deleted: true }> {
  const known = await found(deps.db, id);
  await transaction(deps.db, async (trx) => {
    await provisioningStore.touchAgreement(trx, known.customerAgreementUuid, deps.clock());
    const row = await store.find(trx, id);
    if (!row) throw renewalNotFound();
    await store.remove(trx, row);
  });
  return { deleted: true };
}

export async function process(deps: Deps, id: number): Promise<Output<typeof contract.process>> {
  const { renewal, now: processedNow } = await processRenewal(deps, id, { isAutomatic: false });
  return { renewal: await shown(deps, renewal), processedNow };
}

export async function preview({ db }: Deps, id: number): Promise<Output<typeof contract.preview>> {
  const renewal = await found(db, id);
  const plans = await store.plansByUuid(db, [renewal.priorSubscriptionPlanUuid, renewal.renewedSubscriptionPlanUuid]);
  const prior = plans.get(renewal.priorSubscriptionPlanUuid);
  if (!prior) throw renewalNotFound();
  const renewed = plans.get(renewal.renewedSubscriptionPlanUuid ?? '') ?? null;
  const title = renewedTitle(renewal, prior);
  const isTitleTaken = renewed === null && (await store.isTitleTaken(db, prior.customerAgreementUuid, title));
  const copied = copies(renewal, prior);
  const existingLicenses = renewed ? licenseCount(renewed) : 0;
  const { numberOfLicenses } = renewal;
  return {
    processed: renewal.processed,
    refusal: renewal.processed ? null : refusalOf({ renewal, prior, renewed, isTitleTaken }),
    copied,
    numberOfLicenses,
    existingLicenses,
    addedLicenses: Math.max(0, numberOfLicenses - existingLicenses),
    unassignedLicenses: Math.max(0, numberOfLicenses - copied.total),
    renewedPlan: renewed
      ? pickPlan(renewed)
      : { uuid: null, title, startDate: renewal.effectiveDate, expirationDate: renewal.renewedExpirationDate },
    autoApply: autoApplyAfter(renewal, prior),
  };
}

const pickPlan = ({ uuid, title, startDate, expirationDate }: PlanRow) => ({ uuid, title, startDate, expirationDate });
