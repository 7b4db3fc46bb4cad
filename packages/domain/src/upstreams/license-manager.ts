import { z } from 'zod';
import type { PlanOutcome, Subscriptions } from '../kernel/ports/subscriptions.ts';
import { UpstreamRefusal } from '../kernel/ports/upstream.ts';
import type { Upstream } from './http.ts';
import { path } from './path.ts';

const anything = z.unknown();

async function outcomeOf(work: Promise<unknown>): Promise<PlanOutcome> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof UpstreamRefusal) return 'refused';
    throw error;
  }
}

/** The licence service of another installation, by HTTP. */
export const httpSubscriptions = (call: Upstream): Subscriptions => ({
  setPlanActive: (planUuid, isActive) =>
    outcomeOf(
      call({
        method: 'PATCH',
        path: path`/api/v1/provisioning-admins/subscriptions/${planUuid}/`,
        query: { include_inactive: 'True' },
        body: { change_reason: 'other', is_active: isActive },
        repeatable: true,
        about: [planUuid],
        reply: anything,
      }),
    ),
  processRenewal: (renewalId) =>
    outcomeOf(
      call({
        method: 'POST',
        path: path`/api/v1/provisioning-admins/subscription-plan-renewals/${String(renewalId)}/process/`,
        repeatable: true,
        about: [`renewal ${renewalId}`],
        reply: anything,
      }),
    ),
});
