import { z } from 'zod';
import type {
  PlanProvisioning,
  ProvisionedAgreement,
  ProvisionedPlan,
  ProvisionedRenewal,
} from '../kernel/ports/plan-provisioning.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';

const time = z.coerce.date();
const planReply = z.object({
  uuid: z.string(),
  title: z.string(),
  salesforce_opportunity_line_item: z.string().nullish(),
  // Replies to a creation and those nested in agreements have different keys.
  created: time.optional(),
  start_date: time,
  expiration_date: time,
  is_active: z.boolean(),
  is_current: z.boolean().optional(),
  plan_type: z.string().nullish(),
  enterprise_catalog_uuid: z.string(),
  product: z.coerce.number().nullish(),
});
const agreementReply = z.object({
  uuid: z.string(),
  enterprise_customer_uuid: z.string(),
  default_enterprise_catalog_uuid: z.string().nullish(),
  subscriptions: z.array(planReply).nullish(),
});
const agreements = z.object({ results: z.array(agreementReply) });
const renewalReply = z.object({
  id: z.number(),
  prior_subscription_plan: z.string(),
  renewed_subscription_plan: z.string(),
  number_of_licenses: z.number(),
  effective_date: time,
  renewed_expiration_date: time,
});
const anything = z.unknown();

const planOf = (reply: z.infer<typeof planReply>): ProvisionedPlan => {
  const now = new Date();
  return {
    uuid: reply.uuid.toLowerCase(),
    title: reply.title,
    salesforceOpportunityLineItem: reply.salesforce_opportunity_line_item ?? null,
    created: reply.created ?? now,
    startDate: reply.start_date,
    expirationDate: reply.expiration_date,
    isActive: reply.is_active,
    isCurrent: reply.is_current ?? (reply.start_date <= now && now <= reply.expiration_date),
    planType: reply.plan_type ?? null,
    enterpriseCatalogUuid: reply.enterprise_catalog_uuid.toLowerCase(),
    product: reply.product ?? null,
  };
};

const agreementOf = (reply: z.infer<typeof agreementReply>): ProvisionedAgreement => ({
  uuid: reply.uuid.toLowerCase(),
  enterpriseCustomerUuid: reply.enterprise_customer_uuid.toLowerCase(),
  defaultCatalogUuid: reply.default_enterprise_catalog_uuid ?? null,
  plans: (reply.subscriptions ?? []).map(planOf),
});

const renewalOf = (reply: z.infer<typeof renewalReply>): ProvisionedRenewal => ({
  id: reply.id,
  priorPlanUuid: reply.prior_subscription_plan,
  renewedPlanUuid: reply.renewed_subscription_plan,
  numberOfLicenses: reply.number_of_licenses,
  effectiveDate: reply.effective_date,
  renewedExpirationDate: reply.renewed_expiration_date,
});

/** The plans of another installation's license manager. */
export const httpPlans = (call: Upstream): PlanProvisioning => ({
  async agreementOf(customerUuid) {
    const { results } = await call({
      path: path`/api/v1/customer-agreement/`,
      query: { enterprise_customer_uuid: customerUuid, active_plans_only: 'false' },
      reply: agreements,
    });
    const [found] = results;
    return found ? agreementOf(found) : null;
  },

  createAgreement: async ({ customerUuid, customerSlug, defaultCatalogUuid }) =>
    agreementOf(
      await call({
        method: 'POST',
        path: path`/api/v1/provisioning-admins/customer-agreement/`,
        about: [customerUuid],
        body: {
          enterprise_customer_uuid: customerUuid,
          enterprise_customer_slug: customerSlug,
          default_enterprise_catalog_uuid: defaultCatalogUuid,
        },
        reply: agreementReply,
      }),
    ),

  createPlan: async (plan) =>
    planOf(
      await call({
        method: 'POST',
        path: path`/api/v1/provisioning-admins/subscriptions/`,
        about: [plan.agreementUuid],
        body: {
          customer_agreement: plan.agreementUuid,
          salesforce_opportunity_line_item: plan.salesforceOpportunityLineItem,
          title: plan.title,
          start_date: plan.startDate.toISOString(),
          expiration_date: plan.expirationDate.toISOString(),
          desired_num_licenses: plan.desiredNumLicenses,
          change_reason: 'new',
          for_internal_use_only: plan.forInternalUseOnly,
          product: plan.productId,
          is_active: plan.isActive,
          enterprise_catalog_uuid: plan.enterpriseCatalogUuid,
        },
        reply: planReply,
      }),
    ),

  createRenewal: async (renewal) =>
    renewalOf(
      await call({
        method: 'POST',
        path: path`/api/v1/provisioning-admins/subscription-plan-renewals/`,
        // The same two plans find the same renewal.
        repeatable: true,
        about: [renewal.priorPlanUuid],
        body: {
          prior_subscription_plan: renewal.priorPlanUuid,
          renewed_subscription_plan: renewal.renewedPlanUuid,
          salesforce_opportunity_id: null,
          number_of_licenses: renewal.numberOfLicenses,
          effective_date: renewal.effectiveDate.toISOString(),
          renewed_expiration_date: renewal.renewedExpirationDate.toISOString(),
          exempt_from_batch_processing: true,
        },
        reply: renewalReply,
      }),
    ),

  async setLineItem(planUuid, lineItem) {
    await call({
      method: 'PATCH',
      path: path`/api/v1/provisioning-admins/subscriptions/${planUuid}/`,
      query: { include_inactive: 'True' },
      body: { change_reason: 'other', salesforce_opportunity_line_item: lineItem },
      repeatable: true,
      about: [planUuid],
      reply: anything,
    });
  },
});
