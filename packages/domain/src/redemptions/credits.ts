import { unacknowledged } from '../assignments/index.ts';
import { type Actor, isPermitted } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { isSubsidyActive } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { type PolicyRow, redeemable } from '../policies/index.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { shownOf, viewsOf } from '../requests/index.ts';
import type * as contract from './contract.ts';
import { isOf, type LearnerFacts, learnerFacts } from './facts.ts';
import { notForOthers } from './refusals.ts';
import { needsAssignment } from './rules.ts';
import { viewOfPolicy } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'log' | 'lms' | 'catalog' | 'ledger' | 'settings'>;

/** Policies that a learner can still spend from, with remaining credit and assignments. */
export async function creditsAvailable(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.creditsAvailable>,
): Promise<Output<typeof contract.creditsAvailable>> {
  const { enterpriseCustomerUuid, lmsUserId } = input;
  const mayAsk =
    actor.lmsUserId === lmsUserId ||
    isPermitted(actor, policyPermissions.has_allocation_access, enterpriseCustomerUuid);
  if (!mayAsk) throw notForOthers();
  const candidates = await redeemable(deps.db, enterpriseCustomerUuid);
  const known = await learnerFacts(deps, enterpriseCustomerUuid, lmsUserId, candidates, []);
  const shown = await unacknowledged(deps, enterpriseCustomerUuid, known.assignments);
  const requests = await viewsOf(deps.db, await shownOf(deps.db, enterpriseCustomerUuid, lmsUserId));
  return candidates
    .map((policy) => ({ policy, assignments: shown.filter(({ row }) => isOf(policy, row)) }))
    .filter(({ policy, assignments }) => hasCredit(policy, known, assignments.length))
    .map(({ policy, assignments }) => ({
      ...viewOfPolicy(policy, deps.settings, known.now),
      remainingBalancePerUser: remainingPerUser(policy, known),
      remainingBalance: known.subsidies.get(policy.subsidyUuid)?.balanceCents ?? 0,
      subsidyExpirationDate: known.subsidies.get(policy.subsidyUuid)?.expirationDatetime ?? null,
      learnerContentAssignments: needsAssignment(policy)
        ? assignments.map(({ view }) => view(known.subsidies.get(policy.subsidyUuid)?.expirationDatetime ?? null))
        : [],
      learnerRequests: requests
        .filter(
          ({ learnerCreditRequestConfig: uuid }) => uuid !== null && uuid === policy.learnerCreditRequestConfigUuid,
        )
        .map((request) => ({ ...request })),
      groupAssociations: (known.groups.get(policy.uuid) ?? []).filter((uuid) => uuid !== null),
    }));
}

/**
 * Whether the learner has credit, independent of content (R-RED-40, R-RED-41). Policies with assignments are shown
 * even if the subsidy has ended (R-RED-43).
 */
function hasCredit(policy: PolicyRow, known: LearnerFacts, assignments: number): boolean {
  const isAssigned = policy.policyType === 'AssignedLearnerCreditAccessPolicy';
  const subsidy = known.subsidies.get(policy.subsidyUuid);
  const groups = known.groups.get(policy.uuid) ?? [];
  const isMember =
    known.learner !== null &&
    (groups.length === 0 || groups.some((group) => group !== null && known.learner?.groupUuids.includes(group)));
  if (!isMember || !subsidy || subsidy.balanceCents <= 0) return false;
  if (!isAssigned && !isSubsidyActive(subsidy, known.now)) return false;
  if (policy.spendLimitCents !== null && policy.spentCents >= policy.spendLimitCents) return false;
  if (isAssigned) return assignments > 0;
  const remaining = remainingPerUser(policy, known);
  // With Browse & Request, a policy without remaining credit is shown too, because content can be requested.
  return remaining === null || remaining > 0 || (policy.learnerCreditRequestConfigUuid !== null && remaining === 0);
}

/** R-RED-42: redemptions for enrollment limits, cents for spend limits, null without a limit. */
function remainingPerUser(policy: PolicyRow, known: LearnerFacts): number | null {
  const share = known.shares.get(policy.uuid);
  const { perLearnerEnrollmentLimit, perLearnerSpendLimitCents } = policy;
  if (perLearnerEnrollmentLimit !== null) return Math.max(0, perLearnerEnrollmentLimit - (share?.redemptionCount ?? 0));
  if (perLearnerSpendLimitCents !== null) return Math.max(0, perLearnerSpendLimitCents - (share?.spentCents ?? 0));
  return null;
}
