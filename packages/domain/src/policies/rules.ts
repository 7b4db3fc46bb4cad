import { withMicroseconds } from '../kernel/instant.ts';
import { formatDollars } from '../kernel/money.ts';

/** Landing exactly on the limit is allowed (R-POL-13). All amounts in cents, spent as a positive number. */
export const exceeds = (limitCents: number | null, spentCents: number, priceCents: number): boolean =>
  limitCents !== null && spentCents + priceCents > limitCents;

/**
 * What a policy can still spend (R-POL-12, R-ASG-02). Value that is reserved for assignments of any policy, including
 * this one, is not available.
 */
export function spendAvailable(facts: {
  spendLimitCents: number | null;
  spentCents: number;
  allocatedCents: number;
  subsidyBalanceCents: number;
  subsidyReservedCents: number;
}): number {
  const { spendLimitCents, spentCents, allocatedCents, subsidyBalanceCents, subsidyReservedCents } = facts;
  const inSubsidy = subsidyBalanceCents - subsidyReservedCents;
  const withinLimit = spendLimitCents === null ? inSubsidy : spendLimitCents - spentCents - allocatedCents;
  return Math.max(0, Math.min(withinLimit, inSubsidy));
}

export const isLateRedemptionAllowed = (until: Date | null, now: Date): boolean => until !== null && now < until;

/** The end of the day a number of days from now (R-POL-31). */
export function endOfDayIn(days: number, now: Date): Date {
  const day = new Date(now);
  day.setUTCDate(day.getUTCDate() + days);
  day.setUTCHours(23, 59, 59, 999);
  return withMicroseconds(day, '23:59:59.999999');
}

interface TypeFacts {
  readonly policyType: string;
  readonly spendLimitCents: number | null;
  readonly perLearnerSpendLimitCents: number | null;
  readonly perLearnerEnrollmentLimit: number | null;
  readonly assignmentConfigurationUuid: string | null;
}

const mustNotDefine = {
  spend: [
    'perLearnerSpendLimit',
    'must not define a per-learner spend limit.',
    (p: TypeFacts) => p.perLearnerSpendLimitCents !== null,
  ],
  enrollment: [
    'perLearnerEnrollmentLimit',
    'must not define a per-learner enrollment limit.',
    (p: TypeFacts) => p.perLearnerEnrollmentLimit !== null,
  ],
  configuration: [
    'assignmentConfiguration',
    'must not relate to an AssignmentConfiguration.',
    (p: TypeFacts) => p.assignmentConfigurationUuid !== null,
  ],
  noLimit: ['spendLimit', 'must define a spend_limit.', (p: TypeFacts) => p.spendLimitCents === null],
} as const;

type Constraint = readonly [field: string, message: string, isBroken: (policy: TypeFacts) => boolean];

/** Constraints per policy type (R-POL-02), in the order in which violations are reported. */
export const typeConstraints: Readonly<Record<string, readonly Constraint[]>> = {
  PerLearnerEnrollmentCreditAccessPolicy: [mustNotDefine.spend, mustNotDefine.configuration],
  PerLearnerSpendCreditAccessPolicy: [mustNotDefine.enrollment],
  AssignedLearnerCreditAccessPolicy: [mustNotDefine.spend, mustNotDefine.enrollment, mustNotDefine.noLimit],
};

export const brokenConstraints = (policy: TypeFacts): { field: string; message: string }[] =>
  (typeConstraints[policy.policyType] ?? [])
    .filter(([, , isBroken]) => isBroken(policy))
    .map(([field, message]) => ({ field, message }));

/** Whether the ceiling must be checked (R-POL-06); a new active policy counts as a change. */
export const ceilingApplies = (
  before: { active: boolean; spendLimitCents: number | null } | null,
  after: { active: boolean; spendLimitCents: number | null },
): boolean =>
  after.active &&
  (before === null
    ? after.spendLimitCents !== null
    : before.active !== after.active || before.spendLimitCents !== after.spendLimitCents);

export const ceilingMessage = (name: string, limitsCents: number, depositsCents: number): string =>
  `${name} You cannot make this change, as the sum of all budget spend_limits for a given subsidy would exceed the sum of all deposits into that subsidy. If you are trying to re-balance policies, FIRST reduce the spend_limit of one, THEN increase the spend_limit of another. Error: ${formatDollars(limitsCents)} is greater than ${formatDollars(depositsCents)}`;

/** `retired_at` follows `retired`; an explicit time counts only while `retired` stays as it was (R-POL-05). */
export function retiredAt(
  before: { retired: boolean; retiredAt: Date | null } | null,
  after: { retired: boolean; retiredAt: Date | null },
  now: Date,
): Date | null {
  if (before === null) return after.retired ? (after.retiredAt ?? now) : after.retiredAt;
  if (before.retired !== after.retired) return after.retired ? now : null;
  return after.retiredAt;
}

/**
 * Order in which candidate policies are tried: assigned ones first, then the earliest expiration, then the smaller
 * balance (R-RED-10).
 */
export const priorityOf = (policyType: string): number => (policyType === 'AssignedLearnerCreditAccessPolicy' ? 0 : 1);
