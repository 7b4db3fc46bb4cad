import { setTimeout as sleep } from 'node:timers/promises';
import { transaction } from '@enterprise-access/db';
import { findIntentFor, intentToFulfil, type ProvisioningProduct, paidPlanOf, productFor } from '../billing/index.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { invalidInput } from '../kernel/errors.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as workflow from '../workflow/index.ts';
import * as contract from './contract.ts';
import { firstPaidTitle, isLineItem } from './rules.ts';
import { type ProvisioningInput, provisionCustomer } from './workflow.ts';

type CreateInput = Input<typeof contract.create>;

const refused = (message: string, workflowUuid: string | null) =>
  contract.provisioningFailed({ workflowUuid }, { message: `Error in provisioning workflow: ${message}` });

/** Products by the slugs that the request names; unknown ones are refused before anything is made (R-ADD-102). */
async function productsOf(deps: Pick<Runtime, 'db'>, input: CreateInput) {
  const find = async (slug: string | null | undefined): Promise<ProvisioningProduct | null> => {
    if (slug === null || slug === undefined) return null;
    const found = await productFor(deps.db, slug);
    if (!found) throw invalidInput({ fields: { ssp_product_slug: [`Unknown ssp_product_slug: ${slug}`] } });
    return found;
  };
  return {
    trial: await find(input.trialSubscriptionPlan.sspProductSlug ?? input.sspProductSlug),
    paid: await find(input.firstPaidSubscriptionPlan?.sspProductSlug ?? input.sspProductSlug),
  };
}

/** Checks that concern several fields; the messages stand at the field that is to be changed. */
function assertPlans({ trialSubscriptionPlan: trial, firstPaidSubscriptionPlan: paid }: CreateInput): void {
  const late = ['Ensure this time is after the start.'];
  if (trial.expirationDate <= trial.startDate)
    throw invalidInput({ fields: { trial_subscription_plan: { expiration_date: late } } });
  const paidStart = paid?.startDate ?? trial.expirationDate;
  if (paid?.expirationDate && paid.expirationDate <= paidStart)
    throw invalidInput({ fields: { first_paid_subscription_plan: { expiration_date: late } } });
  for (const [name, plan] of [
    ['trial_subscription_plan', trial] as const,
    ['first_paid_subscription_plan', paid] as const,
  ]) {
    const lineItem = plan?.salesforceOpportunityLineItem ?? null;
    if (lineItem !== null && !isLineItem(lineItem))
      throw invalidInput({
        fields: {
          [name]: { salesforce_opportunity_line_item: ["Invalid Salesforce ID format. It must start with '00k'."] },
        },
      });
  }
}

/** Everything that can be decided before the first step. */
async function decided(
  runtime: Pick<Runtime, 'db' | 'settings'>,
  input: CreateInput,
): Promise<Omit<ProvisioningInput, 'checkoutIntentUuid'>> {
  assertPlans(input);
  const { trial: ofTrial, paid: ofPaid } = await productsOf(runtime, input);
  const { settings } = runtime;
  const catalogQueryId =
    ofPaid?.catalogQueryId ?? ofTrial?.catalogQueryId ?? input.enterpriseCatalog?.catalogQueryId ?? null;
  if (catalogQueryId === null)
    throw invalidInput({
      fields: { enterprise_catalog: { catalog_query_id: ['This field is required without a product.'] } },
    });
  const { trialSubscriptionPlan: trial, firstPaidSubscriptionPlan: paid } = input;
  const academy = input.academy?.academyUuid;
  return {
    customer: input.enterpriseCustomer,
    adminEmails: input.pendingAdmins.map(({ userEmail }) => userEmail),
    catalogTitle: input.enterpriseCatalog?.title ?? null,
    catalogQueryId,
    academyUuid: academy === undefined ? (ofTrial?.academyUuid ?? ofPaid?.academyUuid ?? null) : academy,
    defaultCatalogUuid: input.customerAgreement?.defaultCatalogUuid ?? null,
    isInternal: settings.provisioningIsInternal,
    licenses: trial.desiredNumLicenses,
    trial: {
      title: trial.title,
      salesforceOpportunityLineItem: trial.salesforceOpportunityLineItem,
      productId: ofTrial?.trialProductId ?? trial.productId ?? settings.provisioningTrialProductId,
      enterpriseCatalogUuid: trial.enterpriseCatalogUuid ?? null,
      startDate: trial.startDate,
      expirationDate: trial.expirationDate,
    },
    paid: {
      title: paid?.title ?? firstPaidTitle(trial.title),
      salesforceOpportunityLineItem: paid?.salesforceOpportunityLineItem ?? null,
      productId: ofPaid?.paidProductId ?? paid?.productId ?? settings.provisioningPaidProductId,
      enterpriseCatalogUuid: paid?.enterpriseCatalogUuid ?? null,
      startDate: paid?.startDate ?? null,
      expirationDate: paid?.expirationDate ?? null,
    },
  };
}

/** The workflow of the request: that of its slug if there is one, otherwise a new one for the paid checkout. */
async function workflowFor(runtime: Runtime, input: Omit<ProvisioningInput, 'checkoutIntentUuid'>): Promise<string> {
  const { slug } = input.customer;
  const { kind } = provisionCustomer.spec;
  return transaction(runtime.db, async (trx) => {
    const known = await workflow.readByKey(trx, kind, slug);
    if (known?.status === 'failed') {
      const { checkoutIntentUuid } = workflow.restored(known.input) as ProvisioningInput;
      // Steps that are done stay as they are; the others see the new request.
      await workflow.restart(runtime, trx, known.uuid, { ...input, checkoutIntentUuid });
    }
    if (known && known.status !== 'cancelled') return known.uuid;
    const intent = await intentToFulfil(trx, slug);
    if (!intent) throw refused('No fulfillable CheckoutIntent records for the given slug were found.', null);
    const key = known ? `${slug}#${intent.uuid}` : slug;
    const { uuid } = await workflow.start(runtime, trx, provisionCustomer, {
      key,
      customer: null,
      input: { ...input, checkoutIntentUuid: intent.uuid },
    });
    return uuid;
  });
}

const PAUSE_MS = 250;

/** Carries the workflow on in this process until it has ended, or until the time is over and a worker goes on. */
async function ended(runtime: Runtime, uuid: string): Promise<workflow.WorkflowRow> {
  const limit = performance.now() + runtime.settings.provisioningWaitSeconds * 1_000;
  const stop = AbortSignal.timeout(Math.max(1, runtime.settings.provisioningWaitSeconds * 1_000));
  for (;;) {
    if (!stop.aborted)
      await workflow.advance(runtime, uuid, stop).catch((error: unknown) => {
        if (!stop.aborted) throw error;
      });
    const row = await workflow.read(runtime.db, uuid);
    if (!row) throw new Error('The workflow was deleted.');
    const isOver = row.status === 'succeeded' || row.status === 'failed' || row.status === 'cancelled';
    if (isOver || performance.now() >= limit) return row;
    await sleep(PAUSE_MS);
  }
}

export async function create(runtime: Runtime, input: CreateInput): Promise<Output<typeof contract.create>> {
  const workflowUuid = await workflowFor(runtime, await decided(runtime, input));
  const row = await ended(runtime, workflowUuid);
  if (row.status === 'failed' || row.status === 'cancelled')
    throw refused(row.error ?? 'It was cancelled.', workflowUuid);
  const document = row.status === 'succeeded' ? documentOf(workflow.restored(row.output) as Results) : null;
  return { workflowUuid, document };
}

type Results = NonNullable<typeof provisionCustomer.results>;

const addresses = (emails: readonly string[]) => emails.map((userEmail) => ({ userEmail }));

const documentOf = (results: Results): contract.ProvisionedDocument => ({
  enterpriseCustomer: results.customer,
  customerAdmins: {
    createdAdmins: addresses(results.administrators.created),
    existingAdmins: addresses(results.administrators.existing),
  },
  enterpriseCatalog: results.catalog,
  academy: { academyUuid: results.academy.academyUuid, enterpriseCatalogUuid: results.catalog.uuid },
  customerAgreement: {
    uuid: results.agreement.uuid,
    enterpriseCustomerUuid: results.agreement.enterpriseCustomerUuid,
    defaultCatalogUuid: results.agreement.defaultCatalogUuid,
    subscriptions: results.agreement.plans,
  },
  trialSubscriptionPlan: results.trialPlan,
  firstPaidSubscriptionPlan: results.paidPlan,
  subscriptionPlanRenewal: {
    id: results.renewal.id,
    priorSubscriptionPlan: results.renewal.priorPlanUuid,
    renewedSubscriptionPlan: results.renewal.renewedPlanUuid,
    numberOfLicenses: results.renewal.numberOfLicenses,
    effectiveDate: results.renewal.effectiveDate,
    renewedExpirationDate: results.renewal.renewedExpirationDate,
  },
});

type OliInput = Input<typeof contract.updateSubscriptionPlanOli>;

/** The key of the checkout that the request names: exactly one of the two, and 0 counts as none. */
function keyOf({ checkoutIntentId: id, checkoutIntentUuid: uuid }: OliInput) {
  const errors = (text: string) => invalidInput({ fields: { non_field_errors: [text] } });
  if (id && uuid) throw errors('Only one of CheckoutIntent id or uuid can be provided');
  if (uuid) return { key: { uuid }, words: `{'uuid': UUID('${uuid}')}` };
  if (id) return { key: { id }, words: `{'id': ${id}}` };
  throw errors('One of CheckoutIntent id or uuid is required');
}

export async function updateOli(
  runtime: Pick<Runtime, 'db' | 'plans'>,
  input: OliInput,
): Promise<Output<typeof contract.updateSubscriptionPlanOli>> {
  const { key, words } = keyOf(input);
  const intent = await findIntentFor(runtime.db, key);
  if (!intent) throw contract.intentNotFound({}, { message: `CheckoutIntent ${words} not found` });
  const planUuid = await paidPlanOf(runtime.db, intent.uuid);
  if (planUuid === null)
    throw contract.planNotFound({}, { message: `No subscription plan found for CheckoutIntent ${intent.uuid}` });
  const { salesforceOpportunityLineItem } = input;
  if (!isLineItem(salesforceOpportunityLineItem))
    throw invalidInput({
      fields: { salesforce_opportunity_line_item: ["Invalid Salesforce ID format. It must start with '00k'."] },
    });
  await orUnavailable(runtime.plans.setLineItem(planUuid, salesforceOpportunityLineItem));
  return {
    success: true,
    subscriptionPlanUuid: planUuid,
    salesforceOpportunityLineItem,
    checkoutIntentUuid: intent.uuid,
    checkoutIntentId: intent.id,
  };
}
