import { z } from 'zod';
import { openEnum } from '../kernel/open-enum.ts';

export const licenseStatuses = ['activated', 'assigned', 'revoked', 'unassigned'] as const;
export type LicenseStatus = (typeof licenseStatuses)[number];

export const licenseTypesToCopy = ['assigned_and_activated', 'activated', 'nothing'] as const;
export type LicenseTypesToCopy = (typeof licenseTypesToCopy)[number];

/** Longest texts that the tables hold. */
export const LONGEST = { title: 128, slug: 128, email: 254, salesforceId: 18 } as const;

/** A subscription plan without its counts. */
export const planSummary = z
  .object({
    title: z.string().describe('Title, unique among the plans of the agreement.'),
    uuid: z.string().describe('Identifies the plan.'),
    startDate: z.date().describe('From this time on licences can be activated.'),
    expirationDate: z.date().describe('Until this time licences can be activated and used.'),
    enterpriseCustomerUuid: z.string().describe('Customer of the plan.'),
    enterpriseCatalogUuid: z.string().describe('Catalog whose courses the licences open.'),
    isActive: z.boolean().describe('Whether the plan is in use.'),
    isCurrent: z.boolean().describe('Whether now is between start and expiration, both included.'),
    isRevocationCapEnabled: z.boolean().describe('Whether revocations of activated licences are limited.'),
    daysUntilExpiration: z.int().describe('Whole days, rounded down; negative once past.'),
    daysUntilExpirationIncludingRenewals: z
      .int()
      .describe('The same until the last expiration of the chain of renewals.'),
    isLockedForRenewalProcessing: z.boolean().describe('Whether the renewal of the plan takes effect within hours.'),
    shouldAutoApplyLicenses: z
      .boolean()
      .nullable()
      .describe('Whether learners get licences without an administrator; null if never decided.'),
    created: z.date().describe('Time of creation.'),
    planType: z.string().optional().describe('Kind of plan, from its product; absent without a product.'),
    product: z.int().nullable().describe('Id of the product that was sold.'),
    salesforceOpportunityLineItem: z.string().nullable().describe('Line item of the sale in Salesforce.'),
  })
  .meta({ title: 'SubscriptionPlanSummary' });
export type PlanSummary = z.infer<typeof planSummary>;

const count = (what: string) => z.int().min(0).describe(what);

export const licenseCounts = z
  .object({
    activated: count('Licences in use.'),
    assigned: count('Licences that wait for their activation.'),
    unassigned: count('Free licences.'),
    revoked: count('Licences that were taken back; each was replaced by a free one.'),
    total: count('All but the revoked ones.'),
    allocated: count('Assigned and activated ones.'),
  })
  .meta({ title: 'LicenseCounts' });

export const priorRenewal = z
  .object({
    priorSubscriptionPlanId: z.string().describe('The earlier plan.'),
    priorSubscriptionPlanStartDate: z.date().describe('Its start.'),
    renewedSubscriptionPlanId: z.string().describe('The plan that continues it.'),
    renewedSubscriptionPlanStartDate: z.date().describe('Its start.'),
  })
  .meta({ title: 'PriorRenewal' });

/** A subscription plan: licences for a time and a catalog. */
export const plan = planSummary
  .extend({
    licenses: licenseCounts.describe('Licences by status.'),
    revocations: z
      .object({
        applied: count('Revocations of activated licences so far.'),
        remaining: z.int().describe('Revocations that are left; can be negative after a change of the cap.'),
      })
      .nullable()
      .describe('The revocation cap; null if there is none.'),
    priorRenewals: z.array(priorRenewal).describe('The renewals that led to this plan, oldest first.'),
  })
  .meta({ title: 'SubscriptionPlan' });
export type Plan = z.infer<typeof plan>;

/** A customer agreement without its plans. */
export const agreementSummary = z
  .object({
    uuid: z.string().describe('Identifies the agreement.'),
    enterpriseCustomerUuid: z.string().describe('Customer of the agreement.'),
    enterpriseCustomerSlug: z.string().nullable().describe('Slug of the customer in links to the learner portal.'),
    defaultEnterpriseCatalogUuid: z.string().nullable().describe('Catalog of new plans that name none.'),
    disableExpirationNotifications: z.boolean().describe('Whether learners hear nothing of expirations.'),
    netDaysUntilExpiration: z.int().min(0).describe('Days until the last plan of the customer expires.'),
    subscriptionForAutoAppliedLicenses: z
      .string()
      .nullable()
      .describe('Plan whose licences learners get without an administrator.'),
    availableSubscriptionCatalogs: z.array(z.string()).describe('Catalogs of the active plans that have not expired.'),
    enableAutoAppliedSubscriptionsWithUniversalLink: z
      .boolean()
      .describe('Whether learners who came by the universal link get licences automatically.'),
    hasCustomLicenseExpirationMessagingV2: z
      .boolean()
      .nullable()
      .describe('Whether the texts below replace the standard text; null without them.'),
    modalHeaderTextV2: z.string().nullable().describe('Header of the dialog.'),
    expiredSubscriptionModalMessagingV2: z.string().nullable().describe('Text of the dialog, safe HTML.'),
    buttonLabelInModalV2: z.string().nullable().describe('Label of the button.'),
    urlForButtonInModalV2: z.string().nullable().describe('Where the button leads.'),
  })
  .meta({ title: 'CustomerAgreementSummary' });
export type AgreementSummary = z.infer<typeof agreementSummary>;

/** A customer agreement: all that a customer has subscribed to. */
export const agreement = agreementSummary
  .extend({ subscriptions: z.array(plan).describe('Plans, the newest start first.') })
  .meta({ title: 'CustomerAgreement' });
export type Agreement = z.infer<typeof agreement>;

/** A licence of a plan. */
export const license = z
  .object({
    uuid: z.string().describe('Identifies the licence.'),
    status: openEnum(licenseStatuses).describe('Status of the licence.'),
    userEmail: z.string().nullable().describe('Address of the holder. Personal data.'),
    activationDate: z.date().nullable().describe('Time of the activation.'),
    lastRemindDate: z.date().nullable().describe('Time of the last mail about the assignment.'),
    subscriptionPlanUuid: z.string().describe('Plan of the licence.'),
    revokedDate: z.date().nullable().describe('Time of the revocation.'),
    activationKey: z
      .string()
      .nullable()
      .describe('Key in the activation link; null for callers who must not activate for somebody else.'),
  })
  .meta({ title: 'License' });
export type License = z.infer<typeof license>;

/** A learner's licence with its plan and agreement. */
export const learnerLicense = license
  .extend({
    customerAgreement: agreementSummary.describe('Agreement of the plan.'),
    subscriptionPlan: planSummary.describe('Plan of the licence.'),
  })
  .meta({ title: 'LearnerLicense' });
export type LearnerLicense = z.infer<typeof learnerLicense>;

/** The step from a plan to its successor. */
export const renewal = z
  .object({
    id: z.int().describe('Identifies the renewal.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
    priorSubscriptionPlan: z.string().describe('Plan that is renewed.'),
    priorSubscriptionPlanTitle: z.string().describe('Its title.'),
    renewedSubscriptionPlan: z.string().nullable().describe('Plan that follows; null until it is created.'),
    renewedSubscriptionPlanTitle: z.string().nullable().describe('Its title.'),
    salesforceOpportunityId: z.string().nullable().describe('Line item of the sale in Salesforce.'),
    numberOfLicenses: z.int().min(0).describe('Licences of the plan that follows.'),
    effectiveDate: z.date().describe('Start of the plan that follows.'),
    renewedExpirationDate: z.date().describe('Expiration of the plan that follows.'),
    processed: z.boolean().describe('Whether licences were copied.'),
    processedDatetime: z.date().nullable().describe('When.'),
    renewedPlanTitle: z.string().nullable().describe('Title for the plan that follows; null for a standard one.'),
    licenseTypesToCopy: openEnum(licenseTypesToCopy).describe('Which licences are copied.'),
    disableAutoApplyLicenses: z.boolean().describe('Whether automatic licences end with the renewal.'),
    exemptFromBatchProcessing: z.boolean().describe('Whether the scheduled job leaves it alone.'),
    enterpriseCustomerUuid: z.string().describe('Customer of both plans.'),
  })
  .meta({ title: 'SubscriptionPlanRenewal' });
export type Renewal = z.infer<typeof renewal>;
