import { isUniqueViolation, transaction } from '@enterprise-access/db';
import type { Input, Output } from '../../kernel/contract.ts';
import { invalidInput } from '../../kernel/errors.ts';
import { newUuid } from '../../kernel/ids.ts';
import type { Page } from '../../kernel/page.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { findProduct, type ProductTerms } from '../products/store.ts';
import * as provisioningStore from '../provisioning-store.ts';
import type { PlanRow } from '../rules.ts';
import * as store from '../store.ts';
import { subscriptionPlans } from '../tables.ts';
import { planSummaryOf, surroundingsOf } from '../view.ts';
import type { Plan } from '../view-contract.ts';
import { autoApplying } from './auto-apply.ts';
import * as contract from './provisioning-contract.ts';
import { type Provisioned, provisionWithin } from './seats.ts';
import { pageOfPlans, planNotFound, get as planOfUuid } from './service.ts';
import { unused } from './unused.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;
type DepsWithCatalog = Deps & Pick<Runtime, 'catalog'>;

/** Plans for tests can have more licences (R-LIC-19). */
const MOST_LICENSES = 1_000_000;
const LINE_ITEM = /^00k/;
const FOREIGN_CATALOG = 'A catalog with the given UUID does not exist for this enterprise customer.';

const refused = (text: string, cause?: unknown) =>
  contract.planRefused({}, { message: `An error occurred: ${text}`, cause });

/** The catalog must belong to the customer. Asked of its service, and so outside of any transaction. */
async function assertCatalog({ catalog, settings }: DepsWithCatalog, uuid: string, customer: string): Promise<void> {
  if (!settings.validateExternalFields) return;
  let owner: string | null;
  try {
    owner = await catalog.customerOf(uuid);
  } catch (error) {
    throw refused('Could not verify the given UUID: the catalog service did not answer. Please try again.', error);
  }
  if (owner === null) throw refused(FOREIGN_CATALOG);
  if (owner !== customer)
    throw refused(
      `Unknown error occured while connecting to enterprise catalog API. An error occurred: ${FOREIGN_CATALOG}`,
    );
}

function assertSize(plan: Pick<PlanRow, 'desiredNumLicenses' | 'forInternalUseOnly'>): void {
  if ((plan.desiredNumLicenses ?? 0) > MOST_LICENSES && !plan.forInternalUseOnly)
    throw refused(`Only plans for internal use can have more than ${MOST_LICENSES} licenses.`);
}

const unknownProduct = (id: number) =>
  invalidInput({ fields: { product: [`Invalid pk "${id}" - object does not exist.`] } });

const titleTaken = (cause: unknown) =>
  invalidInput(
    { fields: { non_field_errors: ['The fields title, customer_agreement must make a unique set.'] } },
    { cause },
  );

/** Runs `work` in a transaction; a title that another plan of the agreement has is bad input. */
async function storing<T>({ db }: Deps, work: Parameters<typeof transaction<T>>[1]): Promise<T> {
  try {
    return await transaction(db, work);
  } catch (error) {
    if (isUniqueViolation(error)) throw titleTaken(error);
    throw error;
  }
}

async function productOf({ db }: Deps, id: number | null | undefined): Promise<ProductTerms> {
  if (id === null || id === undefined) throw refused('Product is required.');
  const product = await findProduct(db, id);
  if (!product) throw unknownProduct(id);
  return product;
}

export async function create(
  deps: DepsWithCatalog,
  input: Input<typeof contract.create>,
): Promise<Output<typeof contract.create>> {
  const { customerAgreement, product: productId, changeReason, enterpriseCatalogUuid: wanted, ...fields } = input;
  const product = await productOf(deps, productId);
  const agreement = await store.findAgreement(deps.db, customerAgreement);
  if (!agreement) throw refused("Provided customer_agreement doesn't exist.");
  const catalogUuid = wanted ?? agreement.defaultEnterpriseCatalogUuid;
  if (catalogUuid === null)
    throw refused('The subscription must have an enterprise catalog uuid from itself or its customer agreement');
  const lineItem = input.salesforceOpportunityLineItem;
  if (lineItem === null && product.sfIdRequired) throw refused('You must specify Salesforce ID for selected product.');
  if (lineItem !== null && !LINE_ITEM.test(lineItem))
    throw refused("Invalid Salesforce ID format. It must start with '00k'.");
  assertSize(input);
  await assertCatalog(deps, catalogUuid, agreement.enterpriseCustomerUuid);

  const now = deps.clock();
  const plan: PlanRow = {
    ...unused,
    ...fields,
    uuid: newUuid(),
    enterpriseCustomerUuid: agreement.enterpriseCustomerUuid,
    customerAgreementUuid: agreement.uuid,
    enterpriseCatalogUuid: catalogUuid,
    productId: product.id,
    ...autoApplying(null, input.shouldAutoApplyLicenses, now),
    priority: 0,
    created: now,
    modified: now,
  };
  // Plan and licences, or the job that adds them, are stored together (W-16).
  const provisioned = await storing(deps, async (trx) => {
    await subscriptionPlans.insert(trx, plan);
    return provisionWithin(trx, plan, now);
  });
  return shown(deps, plan, { ...provisioned, changeReason });
}

/** A plan as provisioning sees it, with why it was changed. */
async function shown(
  deps: Deps,
  plan: PlanRow,
  { job, changeReason }: Pick<Provisioned, 'job'> & { readonly changeReason: string },
): Promise<contract.ProvisionedPlan> {
  const around = await surroundingsOf(deps, [plan.customerAgreementUuid]);
  return {
    ...planSummaryOf(plan, around),
    canFreezeUnusedLicenses: plan.canFreezeUnusedLicenses,
    customerAgreement: plan.customerAgreementUuid,
    desiredNumLicenses: plan.desiredNumLicenses,
    expirationProcessed: plan.expirationProcessed,
    forInternalUseOnly: plan.forInternalUseOnly,
    lastFreezeTimestamp: plan.lastFreezeTimestamp,
    numRevocationsApplied: plan.numRevocationsApplied,
    revokeMaxPercentage: plan.revokeMaxPercentage,
    changeReason,
    provisioningJob: job,
  };
}

export const listForProvisioning = (
  deps: Deps,
  input: Input<typeof contract.listForProvisioning>,
): Promise<Page<Plan>> => {
  const { enterpriseCustomerUuid, includeInactive } = input;
  return pageOfPlans(deps, { visible: 'all', enterpriseCustomerUuid, activeOnly: !includeInactive }, input);
};

export const getForProvisioning = (deps: Deps, uuid: string): Promise<Plan> => planOfUuid(deps, uuid);

type Update = Input<typeof contract.update>;

/** The plan that may be changed with this input. */
async function changeable({ db }: Deps, { uuid, enterpriseCustomerUuid, includeInactive }: Update): Promise<PlanRow> {
  const plan = await store.findPlan(db, uuid);
  const isAnothers = enterpriseCustomerUuid !== undefined && plan?.enterpriseCustomerUuid !== enterpriseCustomerUuid;
  if (!plan || isAnothers || !(plan.isActive || includeInactive)) throw planNotFound();
  return plan;
}

/** The line item is looked at only when the product is given, as before. */
async function assertProduct(deps: Deps, input: Update): Promise<void> {
  if (input.product === undefined) return;
  const product = await productOf(deps, input.product);
  const lineItem = input.salesforceOpportunityLineItem ?? null;
  const isMissing = lineItem === null ? product.sfIdRequired : !LINE_ITEM.test(lineItem);
  if (isMissing) throw refused("You must specify Salesforce ID for selected product. It must start with '00k'.");
}

export async function update(deps: DepsWithCatalog, input: Update): Promise<Output<typeof contract.update>> {
  const known = await changeable(deps, input);
  const { changeReason } = input;
  if (changeReason === undefined) throw refused('change_reason is required.');
  await assertProduct(deps, input);
  assertSize({ ...known, ...changeOf(input) });
  if (input.enterpriseCatalogUuid !== undefined)
    await assertCatalog(deps, input.enterpriseCatalogUuid, known.enterpriseCustomerUuid);

  const now = deps.clock();
  const { plan, job } = await storing(deps, async (trx) => {
    const before = await store.holdPlan(trx, known.uuid);
    if (!before) throw planNotFound();
    const { shouldAutoApplyLicenses: flag } = input;
    const applying = flag === undefined ? {} : autoApplying(before, flag, now);
    const after = await provisioningStore.changePlan(trx, before, { ...changeOf(input), ...applying }, now);
    return { plan: after, ...(await provisionWithin(trx, after, now)) };
  });
  return shown(deps, plan, { job, changeReason });
}

/** The fields of the plan that an input changes. */
function changeOf(input: Update): Partial<PlanRow> {
  const {
    uuid: _uuid,
    includeInactive: _includeInactive,
    enterpriseCustomerUuid: _customer,
    changeReason: _reason,
    shouldAutoApplyLicenses: _flag,
    product,
    ...fields
  } = input;
  const change = { ...fields, ...(product === undefined ? {} : { productId: product }) };
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

/** Adds the licences that a plan lacks, as after each change (R-LIC-21). */
export const provision = (
  { db, clock }: Deps,
  { uuid }: Input<typeof contract.provision>,
): Promise<Output<typeof contract.provision>> =>
  transaction(db, async (trx) => {
    const plan = await store.holdPlan(trx, uuid);
    if (!plan) throw planNotFound();
    return provisionWithin(trx, plan, clock());
  });
