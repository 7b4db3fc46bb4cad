import type { Connection, Row } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import {
  autoApplicablePlan,
  daysUntil,
  earlierRenewals,
  isCurrent,
  isLockedForRenewal,
  lastExpiration,
  licenseCount,
  type PlanRow,
  type RenewalRow,
  type Renewals,
  remainingRevocations,
  renewalsOf,
} from './rules.ts';
import * as store from './store.ts';
import type { customerAgreements, licenses } from './tables.ts';
import type { Agreement, AgreementSummary, License, Plan, PlanSummary } from './view-contract.ts';

export type AgreementRow = Readonly<Row<typeof customerAgreements>>;
export type LicenseRow = Readonly<Row<typeof licenses>>;

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

/** What plans and agreements are shown with, besides their rows; loaded in a fixed number of statements. */
export interface Surroundings {
  readonly now: Date;
  readonly lockHours: number;
  readonly renewals: Renewals;
  /** All plans of the agreements, by uuid. */
  readonly plans: ReadonlyMap<string, PlanRow>;
  /** Labels of plan types, by product. */
  readonly planTypes: ReadonlyMap<number, string>;
}

/** Loads what surrounds the plans of these agreements: three statements. */
export async function surroundingsOf(
  { db, clock, settings }: Deps,
  agreementUuids: readonly string[],
): Promise<Surroundings> {
  const [renewals, plans, planTypes] = await Promise.all([
    store.renewalsOfAgreements(db, agreementUuids),
    store.plansOfAgreements(db, agreementUuids),
    planTypesByProduct(db),
  ]);
  return {
    now: clock(),
    lockHours: settings.renewalLockHours,
    renewals: renewalsOf(renewals),
    plans: new Map(plans.map((plan) => [plan.uuid, plan])),
    planTypes,
  };
}

const planTypesByProduct = async (db: Connection): Promise<Map<number, string>> =>
  new Map((await store.productsWithTypes(db)).map(({ id, planType }) => [id, planType]));

export function planSummaryOf(plan: PlanRow, { now, lockHours, renewals, planTypes }: Surroundings): PlanSummary {
  const planType = plan.productId === null ? undefined : planTypes.get(plan.productId);
  return {
    title: plan.title,
    uuid: plan.uuid,
    startDate: plan.startDate,
    expirationDate: plan.expirationDate,
    enterpriseCustomerUuid: plan.enterpriseCustomerUuid,
    enterpriseCatalogUuid: plan.enterpriseCatalogUuid,
    isActive: plan.isActive,
    isCurrent: isCurrent(plan, now),
    isRevocationCapEnabled: plan.isRevocationCapEnabled,
    daysUntilExpiration: daysUntil(now, plan.expirationDate),
    daysUntilExpirationIncludingRenewals: daysUntil(now, lastExpiration(plan, renewals)),
    isLockedForRenewalProcessing: isLockedForRenewal(renewals.from.get(plan.uuid), now, lockHours),
    shouldAutoApplyLicenses: plan.shouldAutoApplyLicenses,
    created: plan.created,
    ...(planType === undefined ? {} : { planType }),
    product: plan.productId,
    salesforceOpportunityLineItem: plan.salesforceOpportunityLineItem,
  };
}

export function planOf(plan: PlanRow, around: Surroundings): Plan {
  const remaining = remainingRevocations(plan);
  return {
    ...planSummaryOf(plan, around),
    licenses: {
      activated: plan.activatedCount,
      assigned: plan.assignedCount,
      unassigned: plan.unassignedCount,
      revoked: plan.revokedCount,
      total: licenseCount(plan),
      allocated: plan.assignedCount + plan.activatedCount,
    },
    revocations: remaining === null ? null : { applied: plan.numRevocationsApplied, remaining },
    priorRenewals: earlierRenewals(around.renewals, plan.uuid).flatMap((renewal) => priorRenewal(renewal, around)),
  };
}

function priorRenewal(renewal: RenewalRow, { plans }: Surroundings): Plan['priorRenewals'] {
  const prior = plans.get(renewal.priorSubscriptionPlanUuid);
  const renewed = plans.get(renewal.renewedSubscriptionPlanUuid ?? '');
  if (!prior || !renewed) return [];
  return [
    {
      priorSubscriptionPlanId: prior.uuid,
      priorSubscriptionPlanStartDate: prior.startDate,
      renewedSubscriptionPlanId: renewed.uuid,
      renewedSubscriptionPlanStartDate: renewed.startDate,
    },
  ];
}

const ofAgreement = (agreement: AgreementRow, { plans }: Surroundings): PlanRow[] =>
  [...plans.values()].filter(({ customerAgreementUuid }) => customerAgreementUuid === agreement.uuid);

export function agreementSummaryOf(agreement: AgreementRow, around: Surroundings): AgreementSummary {
  const { now, renewals } = around;
  const plans = ofAgreement(agreement, around).map((plan) => ({
    ...plan,
    daysLeft: daysUntil(now, lastExpiration(plan, renewals)),
  }));
  const messaging = agreement.expirationMessaging;
  return {
    uuid: agreement.uuid,
    enterpriseCustomerUuid: agreement.enterpriseCustomerUuid,
    enterpriseCustomerSlug: agreement.enterpriseCustomerSlug,
    defaultEnterpriseCatalogUuid: agreement.defaultEnterpriseCatalogUuid,
    disableExpirationNotifications: agreement.disableExpirationNotifications,
    netDaysUntilExpiration: Math.max(0, ...plans.map(({ daysLeft }) => daysLeft)),
    subscriptionForAutoAppliedLicenses: autoApplicablePlan(plans, now)?.uuid ?? null,
    availableSubscriptionCatalogs: [
      ...new Set(
        plans
          .filter(({ isActive, daysLeft }) => isActive && daysLeft > 0)
          .map(({ enterpriseCatalogUuid }) => enterpriseCatalogUuid),
      ),
    ],
    enableAutoAppliedSubscriptionsWithUniversalLink: agreement.enableAutoAppliedSubscriptionsWithUniversalLink,
    hasCustomLicenseExpirationMessagingV2: messaging?.isEnabled ?? null,
    modalHeaderTextV2: messaging?.headerText ?? null,
    expiredSubscriptionModalMessagingV2: messaging?.message ?? null,
    buttonLabelInModalV2: messaging?.buttonLabel ?? null,
    urlForButtonInModalV2: messaging?.buttonUrl ?? null,
  };
}

/** An agreement with its plans, the newest start first. */
export const agreementOf = (
  agreement: AgreementRow,
  around: Surroundings,
  { activePlansOnly }: { readonly activePlansOnly: boolean },
): Agreement => ({
  ...agreementSummaryOf(agreement, around),
  subscriptions: ofAgreement(agreement, around)
    .filter(({ isActive }) => isActive || !activePlansOnly)
    .toSorted((a, b) => b.startDate.getTime() - a.startDate.getTime() || (a.uuid < b.uuid ? -1 : 1))
    .map((plan) => planOf(plan, around)),
});

/** Link in the learner portal with which the holder activates a licence. */
export const activationLink = (
  { learnerPortalUrl }: Pick<Runtime['settings'], 'learnerPortalUrl'>,
  slug: string | null,
  key: string | null,
): string => `${learnerPortalUrl ?? ''}/${slug ?? 'None'}/licenses/${key ?? 'None'}/activate`;

/** A licence as others than its holder see it: with the key somebody could try to activate it. */
export const licenseOf = (row: LicenseRow): License => ({
  uuid: row.uuid,
  status: row.status,
  userEmail: row.userEmail,
  activationDate: row.activationDate,
  lastRemindDate: row.lastRemindDate,
  subscriptionPlanUuid: row.subscriptionPlanUuid,
  revokedDate: row.revokedDate,
  activationKey: null,
});

/** A licence as its holder sees it. */
export const ownLicenseOf = (row: LicenseRow): License => ({ ...licenseOf(row), activationKey: row.activationKey });
