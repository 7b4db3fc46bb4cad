import { defineModel, is } from '@enterprise-access/db';
import type { PairOutcome } from './bulk-enrollment/contract.ts';
import type { LicenseStatus, LicenseTypesToCopy } from './view-contract.ts';

/** All are about how much of a plan is in use: first at all, then that little or nothing is left. */
export type PlanNotification = 'periodic_informational' | 'limited_allocations_remaining' | 'no_allocations_remaining';

const RETIRES = { job: 'licenses.retire' } as const;
const BULK_EXPIRES = { job: 'licenses.expireBulkEnrollments' } as const;

/** What learners see when the plan of their licence has expired, instead of the standard text. */
export interface ExpirationMessaging {
  readonly isEnabled: boolean;
  readonly headerText: string | null;
  /** HTML, cleaned before it is stored. */
  readonly message: string | null;
  readonly buttonLabel: string | null;
  readonly buttonUrl: string | null;
}

/** One per customer; owns the customer's plans. */
export const customerAgreements = defineModel('customer_agreements', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'customer_agreement' },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    enterpriseCustomerSlug: is.text().nullable(),
    enterpriseCustomerName: is.text().nullable(),
    defaultEnterpriseCatalogUuid: is.uuid().nullable(),
    disableExpirationNotifications: is.flag(),
    disableOnboardingNotifications: is.flag(),
    daysBeforePurge: is.integer(),
    expirationMessaging: is.json<ExpirationMessaging>().nullable(),
    enableAutoAppliedSubscriptionsWithUniversalLink: is.flag(),
    enableAutoScalingOfCurrentPlan: is.flag(),
    autoScalingMaxLicenses: is.integer().nullable(),
    autoScalingThresholdPercentage: is.integer().nullable(),
    autoScalingIncrementPercentage: is.integer().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const planTypes = defineModel('plan_types', {
  tenant: { platform: 'Kinds of plans are the same for all customers.' },
  key: ['id'],
  columns: {
    id: is.integer(),
    label: is.text(),
    description: is.text(),
    isPaidSubscription: is.flag(),
    nsIdRequired: is.flag(),
    sfIdRequired: is.flag(),
    internalUseOnly: is.flag(),
  },
});

export const products = defineModel('products', {
  tenant: { platform: 'Products are sold to all customers.' },
  key: ['id'],
  audited: { subject: 'product' },
  columns: {
    id: is.integer(),
    uuid: is.uuid(),
    name: is.text(),
    description: is.text(),
    salesforceProductId: is.text().nullable(),
    netsuiteId: is.integer().nullable(),
    planTypeId: is.integer(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const subscriptionPlans = defineModel('subscription_plans', {
  tenant: 'enterpriseCustomerUuid',
  audited: {
    subject: 'subscription_plan',
    // The records of the licences tell of these. Seats are created without a record each: a note of the plan says how many.
    ignored: [
      'unassignedCount',
      'assignedCount',
      'activatedCount',
      'revokedCount',
      'retiredCount',
      'expirationProgressOf',
      'expirationSentTo',
      'expirationAnnouncedTo',
    ],
  },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    customerAgreementUuid: is.uuid(),
    title: is.text(),
    startDate: is.instant(),
    expirationDate: is.instant(),
    expirationProcessed: is.flag(),
    enterpriseCatalogUuid: is.uuid(),
    isActive: is.flag(),
    isRevocationCapEnabled: is.flag(),
    revokeMaxPercentage: is.integer(),
    numRevocationsApplied: is.integer(),
    salesforceOpportunityLineItem: is.text().nullable(),
    productId: is.integer().nullable(),
    forInternalUseOnly: is.flag(),
    canFreezeUnusedLicenses: is.flag(),
    lastFreezeTimestamp: is.instant().nullable(),
    shouldAutoApplyLicenses: is.flag().nullable(),
    autoApplySince: is.instant().nullable(),
    desiredNumLicenses: is.integer().nullable(),
    /** Of a learner's licences for a course, that of the plan with the highest priority is used. */
    priority: is.integer(),
    /** For which expiration, and how far, enrollments were ended and then events sent: the last licence. */
    expirationProgressOf: is.instant().nullable(),
    expirationSentTo: is.uuid().nullable(),
    expirationAnnouncedTo: is.uuid().nullable(),
    unassignedCount: is.integer(),
    assignedCount: is.integer(),
    activatedCount: is.integer(),
    revokedCount: is.integer(),
    /** Of the revoked ones, those whose address was removed. */
    retiredCount: is.integer(),
    created: is.instant(),
    modified: is.instant(),
  },
});

/** From a plan to its successor. */
export const subscriptionPlanRenewals = defineModel('subscription_plan_renewals', {
  tenant: 'enterpriseCustomerUuid',
  key: ['id'],
  audited: { subject: 'subscription_plan_renewal' },
  columns: {
    id: is.integer(),
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    customerAgreementUuid: is.uuid(),
    priorSubscriptionPlanUuid: is.uuid(),
    renewedSubscriptionPlanUuid: is.uuid().nullable(),
    salesforceOpportunityId: is.text().nullable(),
    numberOfLicenses: is.integer(),
    effectiveDate: is.instant(),
    renewedExpirationDate: is.instant(),
    processed: is.flag(),
    processedDatetime: is.instant().nullable(),
    renewedPlanTitle: is.text().nullable(),
    licenseTypesToCopy: is.code<LicenseTypesToCopy>(),
    disableAutoApplyLicenses: is.flag(),
    exemptFromBatchProcessing: is.flag(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const licenses = defineModel('licenses', {
  tenant: 'enterpriseCustomerUuid',
  audited: {
    subject: 'license',
    learner: 'lmsUserId',
    address: 'userEmail',
    ignored: ['remindedOfExpiration', 'toldOfExpiration'],
  },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    subscriptionPlanUuid: is.uuid(),
    status: is.code<LicenseStatus>(),
    userEmail: is.text().nullable().personalData({ holds: 'Address of the holder.', ends: RETIRES }),
    /** The trail finds the learner by a column of its own, which is emptied when the licence is retired. */
    lmsUserId: is.integer().nullable().notInAudit(),
    /** A secret: with it the holder activates the licence. */
    activationKey: is.uuid().nullable().notInAudit(),
    assignedDate: is.instant().nullable(),
    activationDate: is.instant().nullable(),
    lastRemindDate: is.instant().nullable(),
    revokedDate: is.instant().nullable(),
    renewedToUuid: is.uuid().nullable(),
    autoApplied: is.flag(),
    salesforceContactId: is
      .text()
      .nullable()
      .personalData({ holds: 'Contact of the holder in Salesforce.', ends: RETIRES }),
    remindedOfExpiration: is.instant().nullable(),
    toldOfExpiration: is.instant().nullable(),
    unlinked: is.instant().nullable(),
    halfYearAnnounced: is.instant().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: {
    userEmailKey: is.text().nullable().personalData({ holds: 'The address as it is compared.', ends: RETIRES }),
    live: is.integer().nullable(),
  },
});

/** A mail to the administrators of a customer about a plan that is sent once. */
export const planNotifications = defineModel('plan_notifications', {
  tenant: 'enterpriseCustomerUuid',
  key: ['subscriptionPlanUuid', 'kind'],
  columns: {
    subscriptionPlanUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    kind: is.code<PlanNotification>(),
    sent: is.instant(),
  },
});

/** Requests to enroll learners in course runs with their licences. */
export const bulkEnrollments = defineModel('bulk_enrollments', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'bulk_enrollment', ignored: ['plannedTo', 'isPlanned'] },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    customerAgreementUuid: is.uuid(),
    /** Null is all plans of the agreement. */
    subscriptionPlanUuid: is.uuid().nullable(),
    jobUuid: is.uuid(),
    /** Account of the administrator, who gets a mail. */
    requestedBy: is.integer().nullable(),
    courseRunKeys: is.json<readonly string[]>(),
    notify: is.flag(),
    /** Whether all pairs are stored, and the last licence whose pairs are. */
    isPlanned: is.flag(),
    plannedTo: is.uuid().nullable(),
    /** Name in the storage of files; null until it is there. */
    resultFile: is
      .text()
      .nullable()
      .personalData({ holds: 'Name of the file with addresses and outcomes.', ends: BULK_EXPIRES }),
    created: is.instant(),
    modified: is.instant(),
    finished: is.instant().nullable(),
  },
});

/** Pairs of learner and course run of a bulk enrollment, and what became of each. */
export const bulkEnrollmentPairs = defineModel('bulk_enrollment_pairs', {
  tenant: 'enterpriseCustomerUuid',
  key: ['bulkEnrollmentUuid', 'position'],
  columns: {
    bulkEnrollmentUuid: is.uuid(),
    position: is.integer(),
    enterpriseCustomerUuid: is.uuid(),
    batch: is.integer(),
    email: is.text().personalData({ holds: 'Address of the learner.', ends: BULK_EXPIRES }),
    courseRunKey: is.text(),
    licenseUuid: is.uuid().nullable(),
    /** Null is not done yet. */
    outcome: is.code<PairOutcome>().nullable(),
    created: is.instant(),
  },
});

export const tables = [
  bulkEnrollmentPairs,
  bulkEnrollments,
  customerAgreements,
  licenses,
  planNotifications,
  planTypes,
  products,
  subscriptionPlanRenewals,
  subscriptionPlans,
] as const;
