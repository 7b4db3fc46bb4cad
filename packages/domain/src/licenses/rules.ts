import type { Row } from '@enterprise-access/db';
import type { customerAgreements, licenses, subscriptionPlanRenewals, subscriptionPlans } from './tables.ts';
import type { LicenseStatus } from './view-contract.ts';

export type AgreementRow = Readonly<Row<typeof customerAgreements>>;
export type PlanRow = Readonly<Row<typeof subscriptionPlans>>;
type LicenseRow = Readonly<Row<typeof licenses>>;
export type RenewalRow = Readonly<Row<typeof subscriptionPlanRenewals>>;

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Whole days from now, rounded down; negative once past (R-LIC-10). */
export const daysUntil = (now: Date, then: Date): number => Math.floor((then.getTime() - now.getTime()) / DAY_MS);

type Times = Pick<PlanRow, 'startDate' | 'expirationDate'>;

/** Between start and expiration, both included. */
export const isCurrent = ({ startDate, expirationDate }: Times, now: Date): boolean =>
  startDate <= now && now <= expirationDate;

export const isActiveAndCurrent = (plan: Times & Pick<PlanRow, 'isActive'>, now: Date): boolean =>
  plan.isActive && isCurrent(plan, now);

/** Statuses of licences that somebody holds (R-LIC-02). */
export const live: ReadonlySet<LicenseStatus> = new Set(['assigned', 'activated']);

/** Who holds a licence, and what the holder was told: removed when the licence is taken from a person for good. */
export const nobody = {
  userEmail: null,
  lmsUserId: null,
  activationKey: null,
  salesforceContactId: null,
  remindedOfExpiration: null,
  toldOfExpiration: null,
} as const satisfies Partial<LicenseRow>;

/** A licence that is free again, as if nobody had held it (R-LIC-06). */
export const freed = {
  ...nobody,
  status: 'unassigned',
  assignedDate: null,
  activationDate: null,
  lastRemindDate: null,
  revokedDate: null,
  autoApplied: false,
  unlinked: null,
  halfYearAnnounced: null,
} as const satisfies Partial<LicenseRow>;

/** Number of licences that are not revoked (R-LIC-08). */
export const licenseCount = ({
  unassignedCount,
  assignedCount,
  activatedCount,
}: Pick<PlanRow, 'unassignedCount' | 'assignedCount' | 'activatedCount'>): number =>
  unassignedCount + assignedCount + activatedCount;

/** Revocations of activated licences that are left; null without a cap (R-LIC-31). */
export const remainingRevocations = (plan: PlanRow): number | null =>
  plan.isRevocationCapEnabled
    ? Math.ceil((licenseCount(plan) * plan.revokeMaxPercentage) / 100) - plan.numRevocationsApplied
    : null;

/** Whether the renewal of a plan takes effect within the lock period (R-LIC-70). Informational. */
export function isLockedForRenewal(renewal: RenewalRow | undefined, now: Date, lockHours: number): boolean {
  if (!renewal) return false;
  const hours = Math.floor((renewal.effectiveDate.getTime() - now.getTime()) / HOUR_MS);
  return hours >= 0 && hours < lockHours;
}

/** Renewals of one or more agreements, to walk along their chains. A circle ends at a plan that was seen before. */
export interface Renewals {
  readonly from: ReadonlyMap<string, RenewalRow>;
  readonly to: ReadonlyMap<string, RenewalRow>;
}

export const renewalsOf = (rows: readonly RenewalRow[]): Renewals => ({
  from: new Map(rows.map((row) => [row.priorSubscriptionPlanUuid, row])),
  to: new Map(
    rows.flatMap((row) =>
      row.renewedSubscriptionPlanUuid === null ? [] : [[row.renewedSubscriptionPlanUuid, row] as const],
    ),
  ),
});

/** Renewals from this plan on, in their order. */
export function laterRenewals({ from }: Renewals, planUuid: string): RenewalRow[] {
  const chain: RenewalRow[] = [];
  const seen = new Set<string>();
  for (let at: string | null = planUuid; at !== null && !seen.has(at); ) {
    seen.add(at);
    const next: RenewalRow | undefined = from.get(at);
    if (!next) break;
    chain.push(next);
    at = next.renewedSubscriptionPlanUuid;
  }
  return chain;
}

/** Renewals that led to this plan, oldest first (R-LIC-16). */
export function earlierRenewals({ to }: Renewals, planUuid: string): RenewalRow[] {
  const chain: RenewalRow[] = [];
  const seen = new Set<string>();
  for (let at = planUuid; !seen.has(at); ) {
    seen.add(at);
    const last = to.get(at);
    if (!last) break;
    chain.unshift(last);
    at = last.priorSubscriptionPlanUuid;
  }
  return chain;
}

/** Last expiration along the chain of renewals, processed or not; the plan's own without one (R-LIC-13). */
export function lastExpiration(plan: Pick<PlanRow, 'uuid' | 'expirationDate'>, renewals: Renewals): Date {
  const expirations = laterRenewals(renewals, plan.uuid).map((each) => each.renewedExpirationDate);
  return expirations.toSorted((a, b) => b.getTime() - a.getTime())[0] ?? plan.expirationDate;
}

/** The plan of which learners get licences by themselves: active and current; the newest start wins (R-LIC-11). */
export const autoApplicablePlan = <P extends PlanRow>(plans: readonly P[], now: Date): P | undefined =>
  plans
    .filter((plan) => plan.shouldAutoApplyLicenses === true && isActiveAndCurrent(plan, now))
    .toSorted((a, b) => b.startDate.getTime() - a.startDate.getTime() || (a.uuid < b.uuid ? -1 : 1))[0];
