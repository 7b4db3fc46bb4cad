import { transaction } from '@enterprise-access/db';
import { z } from 'zod';
import { keepDecisionWithin } from '../decisions/index.ts';
import { defineJob, type JobRun } from '../kernel/jobs/job.ts';
import { isSubsidyActive } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { find as findPolicy } from '../policies/index.ts';
import { AllocationRefused, allocateWithin, retryingCollisions } from './allocate.ts';
import * as store from './bulk-store.ts';
import { allocationDecision, failedAllocationCheck } from './decide.ts';
import { acceptedFacts, type Order, orderFacts, orderFor } from './order.ts';
import type { Outcome } from './plan.ts';

const count = z.int().min(0);

export const allocateBatch = defineJob({
  name: 'assignments.allocateBatch',
  summary: 'Allocate a long list of learners in chunks; continues after an interruption.',
  payload: z.object({ batchUuid: z.guid(), policyUuid: z.guid(), enterpriseCustomerUuid: z.guid() }),
  result: z.object({ created: count, updated: count, unchanged: count, failed: count }),
  // One list per policy at a time: parallel lists would only wait for the same rows.
  keyOf: ({ policyUuid }) => policyUuid,
  retry: { limit: 10, delaySeconds: 5, maximumDelaySeconds: 300 },
  timeoutSeconds: 3_600,
  reportsProgress: true,
});

type Result = z.infer<typeof allocateBatch.result>;

export async function onAllocateBatch(
  job: JobRun,
  { batchUuid }: z.infer<typeof allocateBatch.payload>,
): Promise<Result> {
  const { runtime, signal, dryRun } = job;
  const batch = await store.find(runtime.db, batchUuid);
  if (!batch) return { created: 0, updated: 0, unchanged: 0, failed: 0 };
  const open = await store.openPositions(runtime.db, batchUuid);
  if (!dryRun && open.length > 0) {
    const order = await orderOfBatch(runtime, batch);
    let done = (await tally(runtime, batchUuid)).done;
    for (const position of open) {
      signal.throwIfAborted();
      done += await workOff(runtime, batch, order, position);
      await job.progress(done, batch.learnerCount);
    }
  }
  const { done: _done, ...result } = await tally(runtime, batchUuid);
  return result;
}

/** The stored order. Price and content were checked when it was created; the budget is checked again. */
async function orderOfBatch(runtime: Runtime, batch: store.Batch): Promise<Order> {
  const policy = await findPolicy(runtime.db, batch.policyUuid);
  if (!policy) throw new Error('The policy of a bulk allocation is gone.');
  const { contentKey, priceCents, suppressEmail, source } = batch;
  const known = await orderFacts(runtime, policy, contentKey);
  const order = orderFor(policy, known, {
    facts: acceptedFacts(policy, known.subsidy, batch, runtime.clock()),
    contentKey,
    priceCents,
    batchUuid: batch.uuid,
    suppressEmail,
    source,
    admin: { userId: batch.actorUserId, lmsUserId: batch.actorLmsUserId },
  });
  if (!order) throw new Error('Configuration, content or subsidy of a bulk allocation are gone.');
  return order;
}

const outcomeOf: Readonly<Record<Exclude<Outcome, 'not_covered'>, store.BulkOutcome>> = {
  created: 'created',
  reallocated: 'updated',
  touched: 'updated',
  no_change: 'no_change',
};

/** How often to recompute the affordable number of learners if others spend from the budget concurrently. */
const ATTEMPTS = 5;

/**
 * Allocates one chunk and stores the outcome of each learner, in one transaction, so a repeat skips it. If the budget
 * does not cover all, it covers the first ones of the list. Returns the number of learners.
 */
async function workOff(runtime: Runtime, batch: store.Batch, order: Order, position: number): Promise<number> {
  const closed = closedBy(order, runtime.clock());
  let affordable = closed === null ? undefined : 0;
  let reason: store.BulkOutcome = closed ?? 'policy_spend_limit_reached';
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await retryingCollisions(batch.policyUuid, () =>
        allocateChunk(runtime, batch, order, position, { affordable, reason }),
      );
    } catch (error) {
      if (!(error instanceof AllocationRefused)) throw error;
      reason = error.reason as store.BulkOutcome;
      affordable = reason === 'policy_expired' || attempt >= ATTEMPTS ? 0 : await countAffordable(runtime, order);
    }
  }
}

/** Why the policy or subsidy no longer allows allocations; null if it does. */
function closedBy({ policy, subsidy }: Order, now: Date): 'policy_expired' | 'subsidy_expired' | null {
  if (!policy.active || policy.retired) return 'policy_expired';
  return isSubsidyActive(subsidy, now) ? null : 'subsidy_expired';
}

async function allocateChunk(
  runtime: Runtime,
  batch: store.Batch,
  order: Order,
  position: number,
  { affordable, reason }: { affordable: number | undefined; reason: store.BulkOutcome },
): Promise<number> {
  return transaction(runtime.db, async (trx) => {
    const chunk = await store.holdOpen(trx, batch.uuid, position);
    if (!chunk) return 0;
    const waiting = chunk.learnerEmails.filter((_email, at) => chunk.outcomes[at] === null);
    const { planned } = await allocateWithin(trx, runtime, order, waiting, affordable);
    let next = 0;
    const outcomes = chunk.outcomes.map((known) => {
      if (known !== null) return known;
      const outcome = planned[next]?.outcome ?? 'not_covered';
      next += 1;
      return outcome === 'not_covered' ? reason : outcomeOf[outcome];
    });
    const learnerCount = planned.filter(({ outcome }) => outcome === 'not_covered').length;
    if (learnerCount > 0) keepDecisionWithin(trx, refusedChunk(runtime, order, learnerCount, reason));
    await store.setOutcomes(trx, batch.uuid, chunk, outcomes, runtime.clock());
    return waiting.length;
  });
}

/** One decision for all learners of a chunk who get nothing. The rules are asked first: what has ended is no limit. */
function refusedChunk(runtime: Runtime, { policy, terms, facts }: Order, learnerCount: number, reason: string) {
  const about = { policy, contentKey: terms.contentKey, facts, learnerCount };
  return allocationDecision(runtime, about, failedAllocationCheck(facts) === null ? reason : null);
}

/** How many learners policy and subsidy can pay for at this moment. */
async function countAffordable(runtime: Runtime, { policy: { uuid, subsidyUuid }, terms }: Order): Promise<number> {
  const [policy, subsidies] = await Promise.all([
    findPolicy(runtime.db, uuid),
    runtime.ledger.subsidies([subsidyUuid]),
  ]);
  const subsidy = subsidies.get(subsidyUuid);
  if (!policy || !subsidy) return 0;
  const inSubsidy = subsidy.balanceCents - subsidy.reservedCents;
  const inPolicy =
    policy.spendLimitCents === null ? inSubsidy : policy.spendLimitCents - policy.spentCents - policy.allocatedCents;
  return Math.max(0, Math.floor(Math.min(inSubsidy, inPolicy) / terms.priceCents));
}

/** Counts the stored outcomes, so that the report includes work before an interruption. */
async function tally(runtime: Runtime, batchUuid: string): Promise<Result & { readonly done: number }> {
  const outcomes = (await store.chunksOf(runtime.db, batchUuid)).flatMap((chunk) => chunk.outcomes);
  const of = (...wanted: store.BulkOutcome[]): number =>
    outcomes.filter((outcome) => outcome !== null && wanted.includes(outcome)).length;
  const [created, updated, unchanged] = [of('created'), of('updated'), of('no_change')];
  const done = outcomes.filter((outcome) => outcome !== null).length;
  return { created, updated, unchanged, failed: done - created - updated - unchanged, done };
}
