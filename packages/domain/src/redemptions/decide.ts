import type { DecisionKind } from '../decisions/contract.ts';
import { type Decision, type NotPassed, newDecision, type StoredFacts } from '../decisions/index.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { type Facts, notPassed, type RequestFacts, refusal, requestChecks, requestRefusal } from './rules.ts';

type Deps = Pick<Runtime, 'clock' | 'settings'>;

/** Version of the stored facts and checks; a new one when facts or checks change, so that old decisions are still read. */
const VERSION = 1;
const REQUEST_VERSION = 2;

/** Names of the checks of each version, in the order in which they decide. */
export const redemptionCheckNames: Readonly<Record<number, readonly string[]>> = {
  1: [
    'policy_expired',
    'learner_not_in_enterprise',
    'learner_not_in_enterprise_group',
    'content_not_in_catalog',
    'beyond_enrollment_deadline',
    'subsidy_expired',
    'not_enough_value_in_subsidy',
    'policy_spend_limit_reached',
    'learner_max_enrollments_reached',
    'learner_max_spend_reached',
    'reason_learner_not_assigned_content',
    'reason_learner_assignment_cancelled',
    'reason_learner_assignment_failed',
    'reason_learner_assignment_expired',
    'reason_learner_assignment_reversed',
    'access_by_request_only',
  ],
};
export const requestCheckNames: Readonly<Record<number, readonly string[]>> = {
  1: ['no_active_policies', 'no_request_policies'],
  2: ['no_active_policies', 'no_request_policies', 'content_not_in_catalog', 'already_requested'],
};

const present = (values: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null && value !== false));

/** Everything that the rules look at, without what is null or false: few bytes, because every redemption writes them. */
export function storedFacts({ policy, content, subsidy, assignment, ...rest }: Facts): StoredFacts {
  const { policyGroups, learnerGroups, ...others } = rest;
  return {
    v: VERSION,
    of: 'redemption',
    ...present(others),
    ...(policyGroups.length > 0 ? { policyGroups } : {}),
    ...(learnerGroups === null ? {} : { learnerGroups }),
    policy: present({
      uuid: policy.uuid,
      policyType: policy.policyType,
      active: policy.active,
      retired: policy.retired,
      lateRedemptionAllowedUntil: policy.lateRedemptionAllowedUntil,
      spendLimitCents: policy.spendLimitCents,
      spentCents: policy.spentCents,
      allocatedCents: policy.allocatedCents,
      perLearnerEnrollmentLimit: policy.perLearnerEnrollmentLimit,
      perLearnerSpendLimitCents: policy.perLearnerSpendLimitCents,
      accessMethod: policy.accessMethod,
      learnerCreditRequestConfigUuid: policy.learnerCreditRequestConfigUuid,
    }),
    ...(content ? { content: present({ priceCents: content.priceCents, enrollByDate: content.enrollByDate }) } : {}),
    ...(subsidy
      ? {
          subsidy: present({
            activeDatetime: subsidy.activeDatetime,
            expirationDatetime: subsidy.expirationDatetime,
            balanceCents: subsidy.balanceCents,
            reservedCents: subsidy.reservedCents,
          }),
        }
      : {}),
    ...(assignment
      ? {
          assignment: present({
            uuid: assignment.uuid,
            state: assignment.state,
            redemptionUuid: assignment.redemptionUuid,
            priceCents: assignment.priceCents,
          }),
        }
      : {}),
  };
}

type Stored = Readonly<Record<string, never>>;
const instant = (text: string | undefined): Date | null => (text === undefined ? null : new Date(text));

/** The facts again, as they were judged. */
export function factsOf(stored: StoredFacts): Facts {
  const { policy, content, subsidy, assignment, ...facts } = stored as unknown as Record<string, never> & {
    readonly policy: Stored;
    readonly content?: Stored;
    readonly subsidy?: Stored;
    readonly assignment?: Stored;
  };
  return {
    now: new Date(facts.now ?? 0),
    policy: {
      uuid: policy.uuid ?? '',
      policyType: policy.policyType ?? '',
      active: policy.active ?? false,
      retired: policy.retired ?? false,
      lateRedemptionAllowedUntil: instant(policy.lateRedemptionAllowedUntil),
      spendLimitCents: policy.spendLimitCents ?? null,
      spentCents: policy.spentCents ?? 0,
      allocatedCents: policy.allocatedCents ?? 0,
      perLearnerEnrollmentLimit: policy.perLearnerEnrollmentLimit ?? null,
      perLearnerSpendLimitCents: policy.perLearnerSpendLimitCents ?? null,
      accessMethod: policy.accessMethod ?? '',
      learnerCreditRequestConfigUuid: policy.learnerCreditRequestConfigUuid ?? null,
    },
    policyGroups: facts.policyGroups ?? [],
    learnerGroups: facts.learnerGroups ?? null,
    inCatalog: facts.inCatalog ?? false,
    content: content ? { priceCents: content.priceCents ?? null, enrollByDate: instant(content.enrollByDate) } : null,
    subsidy: subsidy
      ? {
          activeDatetime: instant(subsidy.activeDatetime),
          expirationDatetime: instant(subsidy.expirationDatetime),
          balanceCents: subsidy.balanceCents ?? 0,
          reservedCents: subsidy.reservedCents ?? 0,
        }
      : null,
    assignment: assignment
      ? {
          uuid: assignment.uuid ?? '',
          state: assignment.state ?? ('' as never),
          redemptionUuid: assignment.redemptionUuid ?? null,
          priceCents: assignment.priceCents ?? 0,
        }
      : null,
    learnerSpentCents: facts.learnerSpentCents ?? 0,
    learnerRedemptionCount: facts.learnerRedemptionCount ?? 0,
    skipsDeadline: facts.skipsDeadline ?? false,
  };
}

/** Whom and what a decision is about, and what was judged. */
export interface Judged {
  readonly enterpriseCustomerUuid: string;
  readonly lmsUserId: number;
  readonly contentKey: string;
  readonly kind: DecisionKind;
  readonly facts: Facts;
}

/** How it went on after the checks had passed. */
interface End {
  readonly redemptionUuid?: string;
  /** A refusal that no check gave, and where it came from. */
  readonly reason?: string;
  readonly by?: 'reservation' | 'fulfillment';
}

/** The decision about a redemption; null when none are kept. */
export function decided(deps: Deps, { facts, ...about }: Judged, end: End): Decision | null {
  const { by, reason, redemptionUuid } = end;
  const failed: NotPassed = Object.fromEntries([...notPassed(facts), ...(by ? [[by, 'failed'] as const] : [])]);
  return newDecision(deps, {
    ...about,
    policyUuid: facts.policy.uuid,
    reason: reason ?? refusal(facts),
    checks: failed,
    facts: storedFacts(facts),
    ...(redemptionUuid === undefined ? {} : { redemptionUuid }),
  });
}

/** The decision about whether a learner may request content. */
export const decidedRequest = (
  deps: Deps,
  { facts, ...about }: Omit<Judged, 'facts' | 'kind'> & { readonly facts: RequestFacts },
): Decision | null =>
  newDecision(deps, {
    ...about,
    kind: 'can_request',
    policyUuid: null,
    reason: requestRefusal(facts),
    checks: Object.fromEntries(requestChecks.filter(({ fails }) => fails(facts)).map(({ name }) => [name, 'failed'])),
    facts: { v: REQUEST_VERSION, of: 'request', ...facts },
  });
