import { transaction } from '@enterprise-access/db';
import type { Actor } from '../kernel/actor.ts';
import { foldEmail } from '../kernel/email.ts';
import { newUuid } from '../kernel/ids.ts';
import { orUnavailable } from '../kernel/ports/upstream.ts';
import type { PolicyRow } from '../policies/index.ts';
import { AllocationRefused, allocateWithin, type Deps, namesOf, retryingCollisions } from './allocate.ts';

/**
 * Allocates to the one learner of a forced redemption, at support's price and whatever the catalog's (R-RED-60, R-ASG-91).
 * Limits hold all the same: null is success, otherwise the reason. What the redemption itself will refuse, such as a
 * learner who is not linked, is left to it.
 */
export async function allocateForced(
  deps: Deps,
  actor: Actor,
  policy: PolicyRow,
  wanted: { readonly lmsUserId: number; readonly contentKey: string; readonly contentPriceCents: number },
): Promise<string | null> {
  const { lmsUserId, contentKey, contentPriceCents: priceCents } = wanted;
  const { enterpriseCustomerUuid, subsidyUuid, assignmentConfigurationUuid: configurationUuid } = policy;
  const [learner, content, subsidies] = await orUnavailable(
    Promise.all([
      deps.lms.learner(enterpriseCustomerUuid, lmsUserId),
      deps.catalog.content(enterpriseCustomerUuid, contentKey),
      deps.ledger.subsidies([subsidyUuid]),
    ]),
  );
  const subsidy = subsidies.get(subsidyUuid);
  if (!learner || !content || !subsidy || configurationUuid === null) return null;
  const adminLmsUserId = actor.lmsUserId;
  const order = {
    policy,
    subsidy,
    terms: {
      configurationUuid,
      contentKey,
      priceCents,
      batchUuid: newUuid(),
      adminLmsUserId,
      content: namesOf(content),
    },
    by: { userId: actor.userId, lmsUserId: adminLmsUserId, type: 'admin', source: 'api' } as const,
    suppressEmail: false,
    account: { emailKey: foldEmail(learner.email), lmsUserId },
  };
  try {
    await retryingCollisions(() => transaction(deps.db, (trx) => allocateWithin(trx, deps, order, [learner.email])));
    return null;
  } catch (error) {
    if (error instanceof AllocationRefused) return error.reason;
    throw error;
  }
}
