import { DomainError } from '../kernel/errors.ts';
import type { PlanProvisioning, ProvisionedAgreement, ProvisionedPlan } from '../kernel/ports/plan-provisioning.ts';
import type { PlanOutcome, Subscriptions } from '../kernel/ports/subscriptions.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as agreements from './agreements/provisioning.ts';
import * as plans from './plans/provisioning.ts';
import * as planContract from './plans/provisioning-contract.ts';
import * as renewalContract from './renewals/contract.ts';
import * as renewals from './renewals/service.ts';
import type { PlanRow } from './rules.ts';
import * as store from './store.ts';
import { planSummaryOf, type Surroundings, surroundingsOf } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings' | 'catalog' | 'log'>;

function provisioned(row: PlanRow, around: Surroundings): ProvisionedPlan {
  const { planType, product, ...plan } = planSummaryOf(row, around);
  return { ...plan, planType: planType ?? null, product };
}

async function agreementWith(deps: Deps, uuid: string): Promise<ProvisionedAgreement | null> {
  const row = await store.findAgreement(deps.db, uuid);
  if (!row) return null;
  const around = await surroundingsOf(deps, [uuid]);
  return {
    uuid,
    enterpriseCustomerUuid: row.enterpriseCustomerUuid,
    defaultCatalogUuid: row.defaultEnterpriseCatalogUuid,
    plans: [...around.plans.values()].map((plan) => provisioned(plan, around)),
  };
}

async function planWith(deps: Deps, uuid: string): Promise<ProvisionedPlan> {
  const row = await store.findPlan(deps.db, uuid);
  if (!row) throw new Error('The plan that was created is gone.');
  return provisioned(row, await surroundingsOf(deps, [row.customerAgreementUuid]));
}

/** The licences of this service, for provisioning. */
export function localPlans(given: Deps): PlanProvisioning {
  // Provisioning has made the catalog a moment ago, and the catalog service may not know it yet.
  const deps: Deps = { ...given, settings: { ...given.settings, validateExternalFields: false } };
  return {
    async agreementOf(customerUuid) {
      const row = await store.agreementOfCustomer(deps.db, customerUuid);
      return row ? agreementWith(deps, row.uuid) : null;
    },

    async createAgreement({ customerUuid, customerSlug, customerName, defaultCatalogUuid }) {
      const { uuid } = await agreements.create(deps, {
        enterpriseCustomerUuid: customerUuid,
        enterpriseCustomerSlug: customerSlug,
        enterpriseCustomerName: customerName,
        defaultEnterpriseCatalogUuid: defaultCatalogUuid,
      } as Parameters<typeof agreements.create>[1]);
      const made = await agreementWith(deps, uuid);
      if (!made) throw new Error('The agreement that was created is gone.');
      return made;
    },

    async createPlan({ agreementUuid, productId, ...plan }) {
      const input = planContract.create.input.parse({
        ...plan,
        customerAgreement: agreementUuid,
        product: productId,
        changeReason: 'new',
      });
      const { uuid } = await plans.create(deps, input);
      return planWith(deps, uuid);
    },

    async createRenewal({ priorPlanUuid, renewedPlanUuid, ...renewal }) {
      const input = renewalContract.create.input.parse({
        ...renewal,
        priorSubscriptionPlan: priorPlanUuid,
        renewedSubscriptionPlan: renewedPlanUuid,
        salesforceOpportunityId: null,
        exemptFromBatchProcessing: true,
      });
      const { renewal: made } = await renewals.create(deps, input);
      return { ...renewal, priorPlanUuid, renewedPlanUuid, id: made.id };
    },

    async setLineItem(planUuid, lineItem) {
      const input = planContract.update.input.parse({
        uuid: planUuid,
        includeInactive: true,
        changeReason: 'other',
        salesforceOpportunityLineItem: lineItem,
      });
      await plans.update(deps, input);
    },
  };
}

/** A refusal is final; anything else may pass. */
async function outcomeOf(work: Promise<unknown>): Promise<PlanOutcome> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof DomainError && error.spec.status < 500) return 'refused';
    throw error;
  }
}

/** The licences of this service, for billing. */
export const localSubscriptions = (deps: Deps): Subscriptions => ({
  setPlanActive: (uuid, isActive) =>
    outcomeOf(
      plans.update(
        deps,
        planContract.update.input.parse({ uuid, includeInactive: true, changeReason: 'other', isActive }),
      ),
    ),
  processRenewal: (id) => outcomeOf(renewals.process(deps, id)),
});
