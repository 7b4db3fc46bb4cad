import type { z } from 'zod';
import { z as zod } from 'zod';
import {
  ForbiddenMove,
  linkProvisioning,
  markFulfilled,
  markProvisioningFailed,
  recordRenewal,
} from '../billing/index.ts';
import { foldEmail } from '../kernel/email.ts';
import type { ProvisionedPlan } from '../kernel/ports/plan-provisioning.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { defineWorkflow } from '../kernel/workflow.ts';
import { planOutput } from './contract.ts';
import { aYearLater, matching } from './rules.ts';

const plan = zod.object({
  title: zod.string(),
  salesforceOpportunityLineItem: zod.string().nullable(),
  productId: zod.int(),
  enterpriseCatalogUuid: zod.string().nullable(),
});

/** The request with everything decided that can be decided before the first step. */
export const provisioningInput = zod.object({
  checkoutIntentUuid: zod.string(),
  customer: zod.object({ name: zod.string(), slug: zod.string(), country: zod.string() }),
  adminEmails: zod.array(zod.string()),
  catalogTitle: zod.string().nullable(),
  catalogQueryId: zod.int(),
  academyUuid: zod.string().nullable(),
  defaultCatalogUuid: zod.string().nullable(),
  isInternal: zod.boolean(),
  licenses: zod.int(),
  trial: plan.extend({ startDate: zod.date(), expirationDate: zod.date() }),
  paid: plan.extend({ startDate: zod.date().nullable(), expirationDate: zod.date().nullable() }),
});
export type ProvisioningInput = z.output<typeof provisioningInput>;

const emails = zod.array(zod.string());
const agreementOutput = zod.object({
  uuid: zod.string(),
  enterpriseCustomerUuid: zod.string(),
  defaultCatalogUuid: zod.string().nullable(),
  /** Active plans, as they were before the new ones were made. */
  plans: zod.array(planOutput),
});

interface Wanted {
  readonly title: string;
  readonly salesforceOpportunityLineItem: string | null;
}

/** The plan if the agreement has it already. The agreement is read again: an earlier attempt may have made it. */
async function planThatIsThere(
  { plans }: Pick<Runtime, 'plans'>,
  customerUuid: string,
  wanted: Wanted,
): Promise<ProvisionedPlan | null> {
  const agreement = await plans.agreementOf(customerUuid);
  return matching(agreement?.plans ?? [], wanted);
}

export const provisionCustomer = defineWorkflow({
  kind: 'provisioning.customer',
  version: 1,
  title: 'Provision a customer',
  input: provisioningInput,
  async onFailure(trx, { input, runtime }, { sentence }) {
    try {
      await markProvisioningFailed(trx, runtime, input.checkoutIntentUuid, sentence);
    } catch (error) {
      // Staff has moved the intent meanwhile; the workflow still says why it failed.
      if (!(error instanceof ForbiddenMove)) throw error;
    }
  },
})
  .remote('customer', {
    title: 'Create the customer',
    output: zod.object({ uuid: zod.string(), name: zod.string(), slug: zod.string(), country: zod.string() }),
    find: ({ input, runtime }) => runtime.customers.bySlug(input.customer.slug),
    make: ({ input, runtime }) => runtime.customers.create(input.customer),
    settle: async (trx, { input, workflow }, { uuid }) =>
      void (await linkProvisioning(trx, input.checkoutIntentUuid, {
        workflowUuid: workflow.uuid,
        enterpriseCustomerUuid: uuid,
      })),
  })
  .remote('administrators', {
    title: 'Add the administrators',
    output: zod.object({ created: emails, existing: emails }),
    find: async () => null,
    async make({ input, results, runtime }) {
      const { customers } = runtime;
      const customerUuid = results.customer.uuid;
      const [existing, invited] = await Promise.all([
        customers.administrators(customerUuid),
        customers.invitedAdministrators(customerUuid),
      ]);
      const known = new Set([...existing, ...invited].map(foldEmail));
      const wanted = new Map(input.adminEmails.map((email) => [foldEmail(email), email]));
      const created: string[] = [];
      for (const [key, email] of wanted) {
        if (known.has(key)) continue;
        if ((await customers.addAdministrator(customerUuid, email)) === 'noAccount')
          await customers.inviteAdministrator(customerUuid, email);
        created.push(email);
      }
      return { created: created.toSorted(), existing: [...existing].toSorted() };
    },
  })
  .remote('catalog', {
    title: 'Create the catalog',
    output: zod.object({
      uuid: zod.string(),
      enterpriseCustomerUuid: zod.string(),
      title: zod.string(),
      catalogQueryId: zod.int(),
    }),
    find: ({ input, results, runtime }) => runtime.customers.catalog(results.customer.uuid, input.catalogQueryId),
    make: ({ input, results, runtime }) =>
      runtime.customers.createCatalog({
        enterpriseCustomerUuid: results.customer.uuid,
        title: input.catalogTitle ?? `${results.customer.name} Subscription Catalog`,
        catalogQueryId: input.catalogQueryId,
      }),
  })
  .remote('academy', {
    title: 'Add the catalog to its academy',
    output: zod.object({ academyUuid: zod.string().nullable() }),
    find: async ({ input }) => (input.academyUuid === null ? { academyUuid: null } : null),
    async make({ input, results, runtime }) {
      if (input.academyUuid !== null) await runtime.customers.associateAcademy(input.academyUuid, results.catalog.uuid);
      return { academyUuid: input.academyUuid };
    },
  })
  .remote('agreement', {
    title: 'Create the customer agreement',
    output: agreementOutput,
    async find({ results, runtime }) {
      const found = await runtime.plans.agreementOf(results.customer.uuid);
      return found && { ...found, plans: found.plans.filter(({ isActive }) => isActive) };
    },
    make: async ({ input, results, runtime }) => ({
      ...(await runtime.plans.createAgreement({
        customerUuid: results.customer.uuid,
        customerSlug: results.customer.slug,
        customerName: results.customer.name,
        defaultCatalogUuid: input.defaultCatalogUuid,
      })),
      plans: [],
    }),
  })
  .remote('trialPlan', {
    title: 'Create the trial plan',
    output: planOutput,
    find: ({ input, results, runtime }) => planThatIsThere(runtime, results.customer.uuid, input.trial),
    make: ({ input, results, runtime }) =>
      runtime.plans.createPlan({
        ...input.trial,
        agreementUuid: results.agreement.uuid,
        desiredNumLicenses: input.licenses,
        enterpriseCatalogUuid: input.trial.enterpriseCatalogUuid ?? results.catalog.uuid,
        isActive: true,
        forInternalUseOnly: input.isInternal,
      }),
  })
  .remote('paidPlan', {
    title: 'Create the first paid plan',
    output: planOutput,
    find: ({ input, results, runtime }) => planThatIsThere(runtime, results.customer.uuid, input.paid),
    make({ input, results, runtime }) {
      const startDate = input.paid.startDate ?? results.trialPlan.expirationDate;
      return runtime.plans.createPlan({
        ...input.paid,
        startDate,
        expirationDate: input.paid.expirationDate ?? aYearLater(startDate),
        agreementUuid: results.agreement.uuid,
        desiredNumLicenses: input.licenses,
        enterpriseCatalogUuid: input.paid.enterpriseCatalogUuid ?? results.catalog.uuid,
        isActive: true,
        forInternalUseOnly: input.isInternal,
      });
    },
  })
  .remote('renewal', {
    title: 'Create the renewal',
    output: zod.object({
      id: zod.int(),
      priorPlanUuid: zod.string(),
      renewedPlanUuid: zod.string(),
      numberOfLicenses: zod.int(),
      effectiveDate: zod.date(),
      renewedExpirationDate: zod.date(),
    }),
    // Creating it returns the one that joins the same plans.
    find: async () => null,
    make: ({ input, results, runtime }) =>
      runtime.plans.createRenewal({
        priorPlanUuid: results.trialPlan.uuid,
        renewedPlanUuid: results.paidPlan.uuid,
        numberOfLicenses: input.licenses,
        effectiveDate: results.trialPlan.expirationDate,
        renewedExpirationDate: results.paidPlan.expirationDate,
      }),
    settle: async (trx, { input, runtime }, made) =>
      void (await recordRenewal(trx, runtime, {
        intentUuid: input.checkoutIntentUuid,
        subscriptionPlanRenewalId: made.id,
        priorSubscriptionPlanUuid: made.priorPlanUuid,
        renewedSubscriptionPlanUuid: made.renewedPlanUuid,
        effectiveDate: made.effectiveDate,
      })),
  })
  .own('fulfilment', {
    title: 'Fulfil the checkout',
    output: zod.object({ checkoutIntentUuid: zod.string() }),
    async commit(trx, { input, runtime }) {
      await markFulfilled(trx, runtime, input.checkoutIntentUuid);
      return { checkoutIntentUuid: input.checkoutIntentUuid };
    },
  });
