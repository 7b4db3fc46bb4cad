import { transaction } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import { foldEmail } from '../kernel/email.ts';
import { newUuid } from '../kernel/ids.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { PolicyRow } from '../policies/index.ts';
import { AllocationRefused, allocateWithin, type Deps, retryingCollisions } from './allocate.ts';
import { orderFacts, orderFor } from './order.ts';

/**
 * Allocates to the learner of a forced redemption at the price that support has set (R-RED-60, R-ASG-91). Limits
 * still apply: returns null on success, otherwise the reason. Other checks, such as whether the learner is linked,
 * are left to the redemption.
 */
export async function allocateForced(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  wanted: { readonly lmsUserId: number; readonly contentKey: string; readonly contentPriceCents: number },
): Promise<string | null> {
  const { lmsUserId, contentKey, contentPriceCents: priceCents } = wanted;
  const [learner, known] = await Promise.all([
    orUnavailable(deps.lms.learner(policy.enterpriseCustomerUuid, lmsUserId)),
    orderFacts(deps, policy, contentKey),
  ]);
  if (!learner) return null;
  const order = orderFor(policy, known, {
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
    if (error instanceof AllocationRefused) return error.reason;
    throw error;
  }
}
