import type { Actor } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { redeemable } from '../policies/index.ts';
import { learnerOf, NO_POLICIES } from './can-redeem.ts';
import type * as contract from './contract.ts';

/** Whether a learner can request a course; no policy takes requests yet. */
export async function canRequest(
  deps: Pick<Runtime, 'db'>,
  actor: Actor,
  input: Input<typeof contract.canRequest>,
): Promise<Output<typeof contract.canRequest>> {
  learnerOf(actor, input.lmsUserId);
  const candidates = await redeemable(deps.db, input.enterpriseCustomerUuid);
  return { canRequest: false, reason: candidates.length === 0 ? NO_POLICIES : 'No policies with BnR enabled found' };
}
