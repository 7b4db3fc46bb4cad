import { keepDecisions } from '../decisions/index.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redeemable } from '../policies/index.ts';
import { learnerOf, NO_POLICIES } from './can-redeem.ts';
import type * as contract from './contract.ts';
import { decidedRequest } from './decide.ts';
import { requestRefusal } from './rules.ts';

const sentences = {
  no_active_policies: NO_POLICIES,
  no_request_policies: 'No policies with BnR enabled found',
};

/** Whether a learner can request a course; no policy takes requests yet. */
export async function canRequest(
  deps: Pick<Runtime, 'db' | 'clock' | 'settings'>,
  actor: Actor,
  input: Input<typeof contract.canRequest>,
): Promise<Output<typeof contract.canRequest>> {
  const lmsUserId = learnerOf(actor, input.lmsUserId);
  const { enterpriseCustomerUuid, contentKey } = input;
  const candidates = await redeemable(deps.db, enterpriseCustomerUuid);
  const facts = { policies: candidates.length, taking: 0 };
  const reason = requestRefusal(facts);
  const decision = decidedRequest(deps, { enterpriseCustomerUuid, lmsUserId, contentKey, facts });
  await keepDecisions(deps.db, [decision]);
  return { canRequest: reason === null, reason: reason && sentences[reason] };
}
