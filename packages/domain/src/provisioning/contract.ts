import { z } from 'zod';
import { anywhere, defineContract } from '../kernel/contract.ts';
import { PLAIN_EMAIL } from '../kernel/email.ts';
import { defineError } from '../kernel/errors.ts';
import { instant, uuid } from '../kernel/ids.ts';
import { permissions } from './permissions.ts';

const INT32 = 2_147_483_647;
const LICENSES = 1_000_000;
/** Salesforce ids. */
const LONGEST_LINE_ITEM = 18;

const slug = (what: string) =>
  z
    .string()
    .min(1)
    .max(128)
    .regex(/^[-a-zA-Z0-9_]+$/, {
      error: 'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.',
    })
    .describe(what);

const country = z
  .string()
  .trim()
  .regex(/^[A-Za-z]{2}$/, { error: (issue) => `"${String(issue.input).slice(0, 100)}" is not a valid choice.` })
  .toUpperCase()
  .describe('ISO 3166-1 alpha-2 code.')
  .meta({ examples: ['US'] });

const lineItem = z
  .string()
  .trim()
  .min(1)
  .max(LONGEST_LINE_ITEM)
  .nullable()
  .describe('Line item of the sale in Salesforce; begins with `00k`. Null if there is none yet.');

const number = (minimum: number, maximum: number) => z.coerce.number().int().min(minimum).max(maximum);

const plan = {
  title: z.string().trim().min(1).max(128).describe('Title, unique among the plans of the customer.'),
  salesforceOpportunityLineItem: lineItem,
  productId: number(1, INT32).nullish().describe('Product of the licence service; by default from the settings.'),
  sspProductSlug: slug('Product of the catalogue; decides product and catalog query.').nullish(),
  enterpriseCatalogUuid: uuid().nullish().describe('Catalog of the plan; by default the one that is made.'),
};

const trialPlan = z.object({
  ...plan,
  startDate: instant().describe('Start of the trial.'),
  expirationDate: instant().describe('End of the trial; the paid plan begins here.'),
  desiredNumLicenses: number(1, LICENSES).describe('Licences of both plans.'),
});

const paidPlan = z.object({
  ...plan,
  startDate: instant().optional().describe('By default the end of the trial.'),
  expirationDate: instant().optional().describe('By default a year after the start.'),
});

export const planOutput = z
  .object({
    uuid: z.string().describe('Identifies the plan.'),
    title: z.string().describe('Title of the plan.'),
    salesforceOpportunityLineItem: z.string().nullable().describe('Line item of the sale in Salesforce.'),
    created: z.date().describe('Time of creation.'),
    startDate: z.date().describe('Start of the plan.'),
    expirationDate: z.date().describe('End of the plan.'),
    isActive: z.boolean().describe('Whether the plan is in use.'),
    isCurrent: z.boolean().describe('Whether now is between start and end.'),
    planType: z.string().nullable().describe('Kind of plan, from its product.'),
    enterpriseCatalogUuid: z.string().describe('Catalog whose courses the licences open.'),
    product: z.int().nullable().describe('Product of the licence service.'),
  })
  .meta({ title: 'NewCustomerPlan' });

const administrator = z
  .object({ userEmail: z.string().describe('Address. Personal data.') })
  .meta({ title: 'ProvisionedAdministrator' });

/** Everything that was made or found. */
export const document = z
  .object({
    enterpriseCustomer: z
      .object({
        uuid: z.string().describe('Identifies the customer.'),
        name: z.string().describe('Name of the customer.'),
        country: z.string().describe('ISO 3166-1 alpha-2 code.'),
        slug: z.string().describe('Names the customer in links.'),
      })
      .meta({ title: 'ProvisionedCustomer' })
      .describe('The customer.'),
    customerAdmins: z
      .object({
        createdAdmins: z.array(administrator).describe('Administrators that were added or invited, by address.'),
        existingAdmins: z.array(administrator).describe('Administrators that were there before, by address.'),
      })
      .meta({ title: 'ProvisionedAdministrators' })
      .describe('Administrators of the customer.'),
    enterpriseCatalog: z
      .object({
        uuid: z.string().describe('Identifies the catalog.'),
        enterpriseCustomerUuid: z.string().describe('Customer of the catalog.'),
        title: z.string().describe('Title of the catalog.'),
        catalogQueryId: z.int().describe('Query that selects its content.'),
      })
      .meta({ title: 'ProvisionedCatalog' })
      .describe('The catalog.'),
    academy: z
      .object({
        academyUuid: z.string().nullable().describe('Academy of the catalog; null without one.'),
        enterpriseCatalogUuid: z.string().describe('The catalog.'),
      })
      .meta({ title: 'ProvisionedAcademy' })
      .describe('Academy that the catalog was added to.'),
    customerAgreement: z
      .object({
        uuid: z.string().describe('Identifies the agreement.'),
        enterpriseCustomerUuid: z.string().describe('Customer of the agreement.'),
        defaultCatalogUuid: z.string().nullable().describe('Catalog of plans that name none.'),
        subscriptions: z.array(planOutput).describe('Active plans before the new ones were made.'),
      })
      .meta({ title: 'ProvisionedAgreement' })
      .describe('The customer agreement.'),
    trialSubscriptionPlan: planOutput.describe('The trial.'),
    firstPaidSubscriptionPlan: planOutput.describe('The plan that follows the trial.'),
    subscriptionPlanRenewal: z
      .object({
        id: z.int().describe('Identifies the renewal.'),
        priorSubscriptionPlan: z.string().describe('The trial.'),
        renewedSubscriptionPlan: z.string().describe('The plan that follows.'),
        numberOfLicenses: z.int().describe('Licences of the plan that follows.'),
        effectiveDate: z.date().describe('When it takes effect.'),
        renewedExpirationDate: z.date().describe('End of the plan that follows.'),
      })
      .meta({ title: 'ProvisionedRenewal' })
      .describe('Renewal that joins the two plans.'),
  })
  .meta({ title: 'ProvisionedCustomerDocument' });
export type ProvisionedDocument = z.infer<typeof document>;

export const provisioningFailed = defineError({
  code: 'provisioning_failed',
  status: 422,
  message: 'Could not execute this provisioning request',
  details: z.object({
    workflowUuid: z.string().nullable().describe('Workflow that failed; null if none was started.'),
  }),
});

const MAXIMUM_ADMINS = 200;

export const create = defineContract({
  summary:
    'Build a customer: customer, administrators, catalog, agreement, trial, first paid plan and the renewal between them. The same request again finds what was made.',
  kind: 'mutation',
  permission: permissions.can_create,
  context: anywhere,
  rest: { method: 'POST', path: '/api/v1/provisioning', status: 201 },
  // What is not finished must be asked again, or followed as a workflow.
  isFinal: ({ document: made }) => made !== null,
  input: z.object({
    enterpriseCustomer: z
      .object({
        name: z.string().trim().min(1).max(255).describe('Name of the customer.'),
        country,
        slug: slug('Names the customer in links; that of the paid checkout.'),
      })
      .describe('The customer; found by its slug, or made.'),
    pendingAdmins: z
      .array(
        z.object({
          userEmail: z
            .string()
            .max(254)
            .regex(PLAIN_EMAIL, { error: 'Enter a valid email address.' })
            .describe('Address. Personal data.'),
        }),
      )
      .max(MAXIMUM_ADMINS)
      .describe('Administrators to add, or to invite if they have no account.'),
    enterpriseCatalog: z
      .object({
        title: z.string().trim().min(1).max(255).describe('Title; by default made from the name of the customer.'),
        catalogQueryId: number(0, INT32)
          .nullish()
          .describe('Query that selects the content; by default of the product.'),
      })
      .nullish()
      .describe('The catalog; found by its query, or made.'),
    academy: z
      .object({
        academyUuid: uuid().nullish().describe('Academy that the catalog is added to; by default of the product.'),
      })
      .nullish()
      .describe('The academy of the catalog.'),
    customerAgreement: z
      .object({ defaultCatalogUuid: uuid().nullish().describe('Catalog of later plans that name none.') })
      .nullish()
      .describe('The agreement; found by the customer, or made.'),
    sspProductSlug: slug('Product of both plans.').nullish(),
    trialSubscriptionPlan: trialPlan.describe('The trial.'),
    firstPaidSubscriptionPlan: paidPlan.optional().describe('The plan that follows the trial.'),
  }),
  output: z.object({
    workflowUuid: z.string().describe('Follow it with `workflows.get` or `workflows.progress`.'),
    document: document.nullable().describe('Null while it is not finished; it goes on by itself.'),
  }),
  errors: [provisioningFailed],
});

export const intentNotFound = defineError({
  code: 'checkout_intent_not_found',
  status: 404,
  message: 'CheckoutIntent not found',
  details: z.object({}),
});

export const planNotFound = defineError({
  code: 'subscription_plan_not_found',
  status: 404,
  message: 'No subscription plan found',
  details: z.object({}),
});

export const updateSubscriptionPlanOli = defineContract({
  summary: 'Store the Salesforce line item of a checkout’s paid plan.',
  kind: 'mutation',
  permission: permissions.can_create,
  context: anywhere,
  rest: { method: 'POST', path: '/api/v1/provisioning/subscription-plan-oli-update' },
  input: z.object({
    checkoutIntentId: z.int().max(INT32).nullish().describe('Checkout by its number; this or the uuid.'),
    checkoutIntentUuid: uuid().nullish().describe('Checkout by its uuid.'),
    salesforceOpportunityLineItem: z
      .string()
      .trim()
      .min(1)
      .max(LONGEST_LINE_ITEM)
      .describe('Line item of the sale in Salesforce.'),
    isTrial: z.boolean().default(false).describe('Ignored: only the paid plan has a line item of its own.'),
  }),
  output: z.object({
    success: z.boolean().describe('Always true.'),
    subscriptionPlanUuid: z.string().describe('The paid plan.'),
    salesforceOpportunityLineItem: z.string().describe('Its line item now.'),
    checkoutIntentUuid: z.string().describe('The checkout.'),
    checkoutIntentId: z.int().describe('Its number.'),
  }),
  errors: [intentNotFound, planNotFound],
});
