import { exceeds, isLateRedemptionAllowed } from '../policies/rules.ts';
import type { Content } from '../upstreams/catalog.ts';
import { isActive, type Subsidy } from '../upstreams/ledger.ts';

/** Everything that decides whether one learner may redeem one content through one policy. */
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
    readonly perLearnerEnrollmentLimit: number | null;
    readonly perLearnerSpendLimitCents: number | null;
  };
  /** Groups that the policy is limited to; empty is everybody. */
  readonly policyGroups: readonly (string | null)[];
  /** Null when the learner is not linked to the customer. */
  readonly learnerGroups: readonly string[] | null;
  readonly inCatalog: boolean;
  readonly content: Content | null;
  readonly subsidy: Subsidy | null;
  readonly learnerSpentCents: number;
  readonly learnerRedemptionCount: number;
  /** Support may redeem after a deadline (R-RED-61). */
  readonly skipsDeadline: boolean;
}

export interface Check {
  readonly reason: string;
  readonly fails: (facts: Facts) => boolean;
  /** What the check looked at, for the people who must explain its verdict. */
  readonly inputs: (facts: Facts) => Readonly<Record<string, unknown>>;
}

const priceOf = (facts: Facts): number => facts.content?.priceCents ?? 0;

// The order is part of the API: the learner is told the first reason that applies.
export const checks = [
  {
    reason: 'policy_expired',
    fails: ({ policy }) => !policy.active || policy.retired,
    inputs: ({ policy }) => ({ active: policy.active, retired: policy.retired }),
  },
  {
    reason: 'learner_not_in_enterprise',
    fails: ({ learnerGroups }) => learnerGroups === null,
    inputs: ({ learnerGroups }) => ({ linked: learnerGroups !== null }),
  },
  {
    reason: 'learner_not_in_enterprise_group',
    fails: ({ policyGroups, learnerGroups }) =>
      policyGroups.length > 0 && !policyGroups.some((group) => group !== null && learnerGroups?.includes(group)),
    inputs: ({ policyGroups, learnerGroups }) => ({ policyGroups, learnerGroups }),
  },
  {
    reason: 'content_not_in_catalog',
    fails: ({ inCatalog, content }) => !inCatalog || content === null,
    inputs: ({ inCatalog, content }) => ({ inCatalog, hasMetadata: content !== null }),
  },
  {
    reason: 'beyond_enrollment_deadline',
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
    fails: ({ subsidy, now }) => subsidy === null || !isActive(subsidy, now),
    inputs: ({ subsidy }) => ({
      activeDatetime: subsidy?.activeDatetime ?? null,
      expirationDatetime: subsidy?.expirationDatetime ?? null,
    }),
  },
  {
    reason: 'not_enough_value_in_subsidy',
    fails: (facts) => (facts.subsidy?.balanceCents ?? 0) < priceOf(facts),
    inputs: (facts) => ({
      balanceCents: facts.subsidy?.balanceCents ?? null,
      priceCents: facts.content?.priceCents ?? null,
    }),
  },
  {
    reason: 'policy_spend_limit_reached',
    fails: (facts) => exceeds(facts.policy.spendLimitCents, facts.policy.spentCents, priceOf(facts)),
    inputs: (facts) => ({
      spendLimitCents: facts.policy.spendLimitCents,
      spentCents: facts.policy.spentCents,
      priceCents: facts.content?.priceCents ?? null,
    }),
  },
  {
    reason: 'learner_max_enrollments_reached',
    fails: ({ policy, learnerRedemptionCount }) =>
      policy.perLearnerEnrollmentLimit !== null && learnerRedemptionCount >= policy.perLearnerEnrollmentLimit,
    inputs: ({ policy, learnerRedemptionCount }) => ({
      limit: policy.perLearnerEnrollmentLimit,
      redemptions: learnerRedemptionCount,
    }),
  },
  {
    reason: 'learner_max_spend_reached',
    fails: (facts) => exceeds(facts.policy.perLearnerSpendLimitCents, facts.learnerSpentCents, priceOf(facts)),
    inputs: (facts) => ({
      limitCents: facts.policy.perLearnerSpendLimitCents,
      spentCents: facts.learnerSpentCents,
      priceCents: facts.content?.priceCents ?? null,
    }),
  },
  {
    reason: 'reason_learner_not_assigned_content',
    fails: ({ policy }) => policy.policyType === 'AssignedLearnerCreditAccessPolicy',
    inputs: ({ policy }) => ({ policyType: policy.policyType, assignment: null }),
  },
] as const satisfies readonly Check[];

export type Reason = (typeof checks)[number]['reason'];

/** The first check that fails decides; null means redeemable. */
export const refusal = (facts: Facts): Reason | null => checks.find((check) => check.fails(facts))?.reason ?? null;

/** A price is needed once everything cheaper has passed; content without one cannot be judged. */
export const lacksPrice = (facts: Facts): boolean =>
  facts.inCatalog && facts.content !== null && facts.content.priceCents === null;
