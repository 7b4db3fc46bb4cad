import { transaction } from '@enterprise-access/db';
import { keepDecisions } from '../decisions/index.ts';
import type { Actor } from '../kernel/actor.ts';
import { foldEmail } from '../kernel/email.ts';
import { newUuid } from '../kernel/ids.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { PolicyRow } from '../policies/index.ts';
import { AllocationRefused, allocateWithin, type Deps, retryingCollisions } from './allocate.ts';
import { allocationDecision } from './decide.ts';
import { acceptedFacts, orderFacts, orderFor } from './order.ts';

/**
 * Allocates to the one learner of a forced redemption, at support's price and whatever the catalog's (R-RED-60, R-ASG-91).
 * Limits hold all the same: null is success, otherwise the reason with the decision that says so. What the redemption itself will refuse, such as a
 * learner who is not linked, is left to it.
 */
export async function allocateForced(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  wanted: { readonly lmsUserId: number; readonly contentKey: string; readonly contentPriceCents: number },
): Promise<{ readonly reason: string; readonly decisionUuid: string | null } | null> {
  const { lmsUserId, contentKey, contentPriceCents: priceCents } = wanted;
  const [learner, known] = await Promise.all([
    orUnavailable(deps.lms.learner(policy.enterpriseCustomerUuid, lmsUserId)),
    orderFacts(deps, policy, contentKey),
  ]);
  if (!learner) return null;
  const facts = acceptedFacts(policy, known.subsidy, { contentKey, priceCents }, deps.clock());
  const order = orderFor(policy, known, {
    facts,
    contentKey,
    priceCents,
    batchUuid: newUuid(),
    suppressEmail: false,
    source: 'api',
    admin: { userId: actor.userId, lmsUserId: actor.lmsUserId },
    account: { emailKey: foldEmail(learner.email), lmsUserId },
  });
  if (!order) return null;
  try {
    await retryingCollisions(policy.uuid, () =>
      transaction(deps.db, (trx) => allocateWithin(trx, deps, order, [learner.email])),
    );
    return null;
  } catch (error) {
    if (!(error instanceof AllocationRefused)) throw error;
    const { reason } = error;
    const decision = allocationDecision(deps, { policy, contentKey, facts, lmsUserId }, reason);
    await keepDecisions(deps.db, [decision]);
    return { reason, decisionUuid: decision?.uuid ?? null };
  }
}
