import { keepDecisions } from '../decisions/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { isSubsidyActive, type Subsidy } from '../kernel/ports/ledger.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { type PolicyRow, priorityOf, redeemable } from '../policies/index.ts';
import { openOf } from '../requests/index.ts';
import { learnerOf, NO_POLICIES } from './can-redeem.ts';
import type * as contract from './contract.ts';
import { decidedRequest } from './decide.ts';
import { requestRefusal } from './rules.ts';
import { viewOfPolicy } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings' | 'catalog' | 'ledger'>;

const sentences = {
  no_active_policies: NO_POLICIES,
  no_request_policies: 'No policies with BnR enabled found',
  content_not_in_catalog: 'content_not_in_catalog',
};

/** Whether a learner can request a course, and from which budget. */
export async function canRequest(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.canRequest>,
): Promise<Output<typeof contract.canRequest>> {
  const lmsUserId = learnerOf(actor, input.lmsUserId);
  const { enterpriseCustomerUuid, contentKey } = input;
  const [candidates, existing] = await Promise.all([
    redeemable(deps.db, enterpriseCustomerUuid),
    openOf(deps.db, enterpriseCustomerUuid, lmsUserId, contentKey),
  ]);
  const taking = candidates.filter((policy) => policy.learnerCreditRequestConfigUuid !== null);
  const offering = await offeringOf(deps, taking, contentKey);
  const facts = {
    policies: candidates.length,
    taking: taking.length,
    offering: offering.length,
    openRequest: existing?.state ?? null,
  };
  const reason = requestRefusal(facts);
  const decision = decidedRequest(deps, { enterpriseCustomerUuid, lmsUserId, contentKey, facts });
  await keepDecisions(deps.db, [decision]);
  const [policy] = offering;
  return {
    canRequest: reason === null,
    reason:
      reason === 'already_requested'
        ? `You already have an active request for this course in state: ${existing?.state}`
        : reason && sentences[reason],
    contentKey,
    existingRequest: reason === 'already_requested' ? (existing?.uuid ?? null) : null,
    requestableSubsidyAccessPolicy:
      reason === null && policy ? viewOfPolicy(policy, deps.settings, deps.clock()) : null,
  };
}

/**
 * Policies whose catalog has the content and whose subsidy can pay, the one to use first: by type, earliest end of the
 * subsidy, lowest balance.
 */
async function offeringOf(deps: Deps, taking: readonly PolicyRow[], contentKey: string): Promise<PolicyRow[]> {
  if (taking.length === 0) return [];
  const [contains, subsidies] = await orUnavailable(
    Promise.all([
      Promise.all(taking.map(({ catalogUuid }) => deps.catalog.contains(catalogUuid, contentKey))),
      deps.ledger.subsidies([...new Set(taking.map(({ subsidyUuid }) => subsidyUuid))]),
    ]),
  );
  const now = deps.clock();
  return taking
    .flatMap((policy, place) => {
      const subsidy = subsidies.get(policy.subsidyUuid);
      return contains[place] && subsidy && isSubsidyActive(subsidy, now) ? [{ policy, subsidy }] : [];
    })
    .toSorted(
      (a, b) =>
        priorityOf(a.policy.policyType) - priorityOf(b.policy.policyType) ||
        endOf(a.subsidy) - endOf(b.subsidy) ||
        a.subsidy.balanceCents - b.subsidy.balanceCents,
    )
    .map(({ policy }) => policy);
}

const endOf = ({ expirationDatetime }: Subsidy): number => expirationDatetime?.getTime() ?? Number.MAX_SAFE_INTEGER;
