import type { FieldErrors } from '../../kernel/errors.ts';
import { isCurrent, laterRenewals, type PlanRow, type RenewalRow, renewalsOf } from '../rules.ts';
import type { LicenseStatus } from '../view-contract.ts';
import type { refusalReasons } from './contract.ts';

export type RefusalReason = (typeof refusalReasons)[number];

/** Statuses of the licences that a renewal copies (R-LIC-60). */
export const copiedStatuses = ({
  licenseTypesToCopy: types,
}: Pick<RenewalRow, 'licenseTypesToCopy'>): LicenseStatus[] =>
  types === 'nothing' ? [] : types === 'activated' ? ['activated'] : ['assigned', 'activated'];

/** How many licences a renewal copies. */
export function copies(renewal: Pick<RenewalRow, 'licenseTypesToCopy'>, prior: PlanRow) {
  const statuses = copiedStatuses(renewal);
  const assigned = statuses.includes('assigned') ? prior.assignedCount : 0;
  const activated = statuses.includes('activated') ? prior.activatedCount : 0;
  return { assigned, activated, total: assigned + activated };
}

interface Renewing {
  readonly renewal: RenewalRow;
  readonly prior: PlanRow;
  /** The plan that follows; null if it is created. */
  readonly renewed: PlanRow | null;
  /** Another plan of the agreement has the title of the plan that would be created. */
  readonly isTitleTaken: boolean;
}

const isUsed = ({ assignedCount, activatedCount, revokedCount }: PlanRow): boolean =>
  assignedCount + activatedCount + revokedCount > 0;

// The order is seen by callers: the first reason that applies is given (R-LIC-61).
const refusals: readonly (readonly [RefusalReason, (of: Renewing) => boolean, (of: Renewing) => string])[] = [
  [
    'too_few_licenses',
    ({ renewal, prior }) => renewal.numberOfLicenses < copies(renewal, prior).total,
    () => 'Cannot renew for fewer than the number of original activated licenses.',
  ],
  [
    'renewed_plan_in_use',
    ({ renewed }) => renewed !== null && isUsed(renewed),
    ({ renewal: { id } }) =>
      `Renewal ID ${id} can't be processed; there are existing licenses in the renewed plan that are activated/assigned/revoked.`,
  ],
  [
    'more_licenses_than_requested',
    ({ renewal, renewed }) => renewed !== null && renewed.unassignedCount > renewal.numberOfLicenses,
    () => 'More licenses exist than were requested to be renewed.',
  ],
  [
    'title_taken',
    ({ renewed, isTitleTaken }) => renewed === null && isTitleTaken,
    (of) => `Another plan of the agreement has the title ${renewedTitle(of.renewal, of.prior)}.`,
  ],
];

/** Why a renewal cannot be processed; null if it can. */
export function refusalOf(of: Renewing): { reason: RefusalReason; message: string } | null {
  const found = refusals.find(([, applies]) => applies(of));
  return found ? { reason: found[0], message: found[2](of) } : null;
}

/** Title of the plan that a renewal creates (R-LIC-62). */
export function renewedTitle(
  { renewedPlanTitle, effectiveDate }: Pick<RenewalRow, 'renewedPlanTitle' | 'effectiveDate'>,
  { title }: Pick<PlanRow, 'title'>,
): string {
  if (renewedPlanTitle !== null && renewedPlanTitle !== '') return renewedPlanTitle;
  const suffix = ` - Renewal ${effectiveDate.getUTCFullYear()}`;
  return `${title.slice(0, 128 - suffix.length)}${suffix}`;
}

type AutoApply = 'unchanged' | 'follows' | 'ends';

/** What a renewal makes of automatic licences (R-LIC-64). */
export const autoApplyAfter = (
  { disableAutoApplyLicenses }: Pick<RenewalRow, 'disableAutoApplyLicenses'>,
  prior: Pick<PlanRow, 'shouldAutoApplyLicenses'>,
): AutoApply =>
  prior.shouldAutoApplyLicenses === true ? (disableAutoApplyLicenses ? 'ends' : 'follows') : 'unchanged';

/**
 * Whether a plan goes on to give licences automatically while its successor, which does too, is not current yet. The
 * newest start among the current plans wins, so the successor takes over without a gap (W-31).
 */
export const keepsApplying = (renewed: Pick<PlanRow, 'startDate' | 'expirationDate'>, now: Date): boolean =>
  !isCurrent(renewed, now) && renewed.startDate > now;

/** Renewals that the scheduled job processes: those whose date has passed, and those within the window (R-LIC-67). */
export const dueUntil = (now: Date, windowHours: number): Date => new Date(now.getTime() + windowHours * 3_600_000);

interface Draft {
  readonly prior: PlanRow;
  readonly renewed: PlanRow | null;
  readonly effectiveDate: Date;
  readonly renewedExpirationDate: Date;
}

/** Rules about the two plans and the dates, in words of the caller's; null if all hold. */
export function draftProblem({ prior, renewed, effectiveDate, renewedExpirationDate }: Draft): string | null {
  if (renewed && renewed.customerAgreementUuid !== prior.customerAgreementUuid)
    return 'Prior and renewed subscription plans must belong to the same customer agreement.';
  if (effectiveDate < prior.startDate)
    return 'Effective date must be on or after the prior subscription plan start date.';
  if (renewedExpirationDate <= effectiveDate) return 'Renewed expiration date must be after the effective date.';
  return null;
}

export const CIRCLE = 'A renewal must not lead back to a plan that it renews.';

/** Whether a renewal from one plan to the other would close a circle with the other renewals of the agreement. */
export function closesCircle(prior: string, renewed: string, others: readonly RenewalRow[]): boolean {
  if (prior === renewed) return true;
  return laterRenewals(renewalsOf(others), renewed).some((each) => each.renewedSubscriptionPlanUuid === prior);
}

export const problemOf = (message: string): FieldErrors => ({ non_field_errors: [message] });
