import type { State } from '../assignments/contract.ts';
import { stateRefusal } from '../assignments/rules.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import { isSubsidyActive, type Subsidy } from '../kernel/ports/ledger.ts';
import type { reasonCodes } from '../policies/reason-contract.ts';
import { exceeds, isLateRedemptionAllowed } from '../policies/rules.ts';

/** All facts that decide whether a learner can redeem a content through a policy. */
export interface Facts {
  readonly now: Date;
  readonly policy: {
    readonly uuid: string;
    readonly policyType: string;
    readonly active: boolean;
    readonly retired: boolean;
    readonly lateRedemptionAllowedUntil: Date | null;
    readonly spendLimitCents: number | null;
    readonly spentCents: number;
    /** Cents of the budget that are reserved by allocated assignments. */
    readonly allocatedCents: number;
    readonly perLearnerEnrollmentLimit: number | null;
    readonly perLearnerSpendLimitCents: number | null;
    readonly accessMethod: string;
    /** If set, the policy has Browse & Request. */
    readonly learnerCreditRequestConfigUuid: string | null;
  };
  /** Groups that the policy is restricted to; empty means all learners. */
  readonly policyGroups: readonly (string | null)[];
  /** Null if the learner is not linked to the customer. */
  readonly learnerGroups: readonly string[] | null;
  readonly inCatalog: boolean;
  readonly content: Pick<Content, 'priceCents' | 'enrollByDate'> | null;
  readonly subsidy: Pick<Subsidy, 'activeDatetime' | 'expirationDatetime' | 'balanceCents' | 'reservedCents'> | null;
  /** The learner's assignment for the content, if the policy needs one. */
  readonly assignment: {
    readonly uuid: string;
    readonly state: State;
    readonly redemptionUuid: string | null;
    readonly priceCents: number;
  } | null;
  readonly learnerSpentCents: number;
  readonly learnerRedemptionCount: number;
  /** Support can redeem after the deadline (R-RED-61). */
  readonly skipsDeadline: boolean;
}

export interface Check {
  readonly reason: (typeof reasonCodes)[number];
  /** Number under `docs/rules`. */
  readonly rule: string;
  /** Cannot be judged without one. */
  readonly needsPrice?: true;
  readonly fails: (facts: Facts) => boolean;
  /** The inputs of the check, to explain its verdict. */
  readonly inputs: (facts: Facts) => Readonly<Record<string, unknown>>;
}

/** The price of the assignment (R-ASG-29), otherwise the catalog's; null if there is none. */
export const knownPriceOf = ({ assignment, content }: Pick<Facts, 'assignment' | 'content'>): number | null =>
  assignment?.priceCents ?? content?.priceCents ?? null;

const priceOf = (facts: Facts): number => knownPriceOf(facts) ?? 0;

/** Value reserved for other assignments, which is not available; a missing assignment is refused by a later check. */
const heldInSubsidy = (facts: Facts): number =>
  needsAssignment(facts.policy) ? 0 : (facts.subsidy?.reservedCents ?? 0);
const heldInPolicy = (facts: Facts): number => (needsAssignment(facts.policy) ? 0 : facts.policy.allocatedCents);

function assignmentCheck<const R extends NonNullable<ReturnType<typeof stateRefusal>>>(reason: R) {
  return {
    reason,
    rule: 'R-RED-01',
    fails: ({ policy, assignment }: Facts) => needsAssignment(policy) && stateRefusal(assignment) === reason,
    inputs: ({ policy, assignment }: Facts) => ({
      policyType: policy.policyType,
      browseAndRequest: policy.learnerCreditRequestConfigUuid !== null,
      assignment: assignment && { uuid: assignment.uuid, state: assignment.state },
    }),
  };
}

// The order is part of the API: the learner is told the first reason that applies.
export const checks = [
  {
    reason: 'policy_expired',
    rule: 'R-CHK-01',
    fails: ({ policy }) => !policy.active || policy.retired,
    inputs: ({ policy }) => ({ active: policy.active, retired: policy.retired }),
  },
  {
    reason: 'learner_not_in_enterprise',
    rule: 'R-CHK-02',
    fails: ({ learnerGroups }) => learnerGroups === null,
    inputs: ({ learnerGroups }) => ({ linked: learnerGroups !== null }),
  },
  {
    reason: 'learner_not_in_enterprise_group',
    rule: 'R-CHK-03',
    fails: ({ policyGroups, learnerGroups }) =>
      policyGroups.length > 0 && !policyGroups.some((group) => group !== null && learnerGroups?.includes(group)),
    inputs: ({ policyGroups, learnerGroups }) => ({ policyGroups, learnerGroups }),
  },
  {
    reason: 'content_not_in_catalog',
    rule: 'R-CHK-04',
    fails: ({ inCatalog, content }) => !inCatalog || content === null,
    inputs: ({ inCatalog, content }) => ({ inCatalog, hasMetadata: content !== null }),
  },
  {
    reason: 'beyond_enrollment_deadline',
    rule: 'R-CHK-06',
    fails: ({ now, policy, content, skipsDeadline }) =>
      !skipsDeadline &&
      !isLateRedemptionAllowed(policy.lateRedemptionAllowedUntil, now) &&
      content !== null &&
      content.enrollByDate !== null &&
      now > content.enrollByDate,
    inputs: ({ policy, content, skipsDeadline }) => ({
      enrollByDate: content?.enrollByDate ?? null,
      lateRedemptionAllowedUntil: policy.lateRedemptionAllowedUntil,
      skipsDeadline,
    }),
  },
  {
    reason: 'subsidy_expired',
    rule: 'R-CHK-07',
    fails: ({ subsidy, now }) => subsidy === null || !isSubsidyActive(subsidy, now),
    inputs: ({ subsidy }) => ({
      activeDatetime: subsidy?.activeDatetime ?? null,
      expirationDatetime: subsidy?.expirationDatetime ?? null,
    }),
  },
  {
    reason: 'not_enough_value_in_subsidy',
    rule: 'R-CHK-08',
    needsPrice: true,
    fails: (facts) => (facts.subsidy?.balanceCents ?? 0) - heldInSubsidy(facts) < priceOf(facts),
    inputs: (facts) => ({
      balanceCents: facts.subsidy?.balanceCents ?? null,
      heldForAssignmentsCents: heldInSubsidy(facts),
      priceCents: knownPriceOf(facts),
    }),
  },
  {
    reason: 'policy_spend_limit_reached',
    rule: 'R-POL-13',
    needsPrice: true,
    fails: (facts) =>
      exceeds(facts.policy.spendLimitCents, facts.policy.spentCents + heldInPolicy(facts), priceOf(facts)),
    inputs: (facts) => ({
      spendLimitCents: facts.policy.spendLimitCents,
      spentCents: facts.policy.spentCents,
      heldForAssignmentsCents: heldInPolicy(facts),
      priceCents: knownPriceOf(facts),
    }),
  },
  {
    reason: 'learner_max_enrollments_reached',
    rule: 'R-CHK-10',
    fails: ({ policy, learnerRedemptionCount }) =>
      policy.perLearnerEnrollmentLimit !== null && learnerRedemptionCount >= policy.perLearnerEnrollmentLimit,
    inputs: ({ policy, learnerRedemptionCount }) => ({
      limit: policy.perLearnerEnrollmentLimit,
      redemptions: learnerRedemptionCount,
    }),
  },
  {
    reason: 'learner_max_spend_reached',
    rule: 'R-CHK-11',
    needsPrice: true,
    // With Browse & Request the limit is checked when the request is made (R-POL-19).
    fails: (facts) =>
      facts.policy.learnerCreditRequestConfigUuid === null &&
      exceeds(facts.policy.perLearnerSpendLimitCents, facts.learnerSpentCents, priceOf(facts)),
    inputs: (facts) => ({
      browseAndRequest: facts.policy.learnerCreditRequestConfigUuid !== null,
      limitCents: facts.policy.perLearnerSpendLimitCents,
      spentCents: facts.learnerSpentCents,
      priceCents: knownPriceOf(facts),
    }),
  },
  // Step 10c: one check per refusing state (R-RED-01).
  assignmentCheck('reason_learner_not_assigned_content'),
  assignmentCheck('reason_learner_assignment_cancelled'),
  assignmentCheck('reason_learner_assignment_failed'),
  assignmentCheck('reason_learner_assignment_expired'),
  assignmentCheck('reason_learner_assignment_reversed'),
  {
    // Added by us: in the old service can-redeem said yes and redeem failed (R-RED-21).
    reason: 'access_by_request_only',
    rule: 'R-RED-21',
    fails: ({ policy }) => policy.accessMethod === 'request',
    inputs: ({ policy }) => ({ accessMethod: policy.accessMethod }),
  },
] as const satisfies readonly Check[];

/** Assigned policies, and policies that take requests (R-ASG-27, R-ASG-85). */
export function needsAssignment({
  policyType,
  learnerCreditRequestConfigUuid,
}: Pick<Facts['policy'], 'policyType' | 'learnerCreditRequestConfigUuid'>): boolean {
  if (policyType === 'AssignedLearnerCreditAccessPolicy') return true;
  return policyType === 'PerLearnerSpendCreditAccessPolicy' && learnerCreditRequestConfigUuid !== null;
}

export type Reason = (typeof checks)[number]['reason'];

/** Result if all checks before the price have passed and there is no price; not a reason for learners. */
export const PRICE_UNKNOWN = 'price_unknown';

type Verdict = 'passed' | 'failed' | 'unknown';

const verdictOf = (check: Check, facts: Facts): Verdict => {
  if (check.needsPrice && knownPriceOf(facts) === null) return 'unknown';
  return check.fails(facts) ? 'failed' : 'passed';
};

/** The first check that fails or lacks its price decides; null means redeemable. */
export function refusal(facts: Facts): Reason | typeof PRICE_UNKNOWN | null {
  for (const check of checks) {
    const verdict = verdictOf(check, facts);
    if (verdict !== 'passed') return verdict === 'failed' ? check.reason : PRICE_UNKNOWN;
  }
  return null;
}

/** Every check with its inputs and verdict. */
export const verdicts = (facts: Facts) =>
  checks.map((check) => ({
    reason: check.reason,
    rule: check.rule,
    verdict: verdictOf(check, facts),
    inputs: check.inputs(facts),
  }));

/** The checks that do not pass, by reason. */
export const notPassed = (facts: Facts): [Reason, Exclude<Verdict, 'passed'>][] =>
  checks.flatMap((check) => {
    const verdict = verdictOf(check, facts);
    return verdict === 'passed' ? [] : [[check.reason, verdict]];
  });

/** What a question about a request is judged by. */
export interface RequestFacts {
  /** Active policies of the customer. */
  readonly policies: number;
  /** Those that take requests. */
  readonly taking: number;
  /** Those of them whose catalog has the content; not asked of earlier decisions. */
  readonly offering?: number;
  /** State of the learner's open request for the content; null without one. */
  readonly openRequest?: string | null;
}

export const requestChecks = [
  { name: 'no_active_policies', rule: 'R-RED-10', fails: ({ policies }: RequestFacts) => policies === 0 },
  { name: 'no_request_policies', rule: 'R-POL-17', fails: ({ taking }: RequestFacts) => taking === 0 },
  { name: 'content_not_in_catalog', rule: 'R-POL-17', fails: ({ offering }: RequestFacts) => offering === 0 },
  {
    name: 'already_requested',
    rule: 'R-REQ-34',
    fails: ({ openRequest = null }: RequestFacts) => openRequest !== null,
  },
] as const;

/** The first check that fails; null when a request can be made. */
export const requestRefusal = (facts: RequestFacts): (typeof requestChecks)[number]['name'] | null =>
  requestChecks.find(({ fails }) => fails(facts))?.name ?? null;
