import { appendToOutbox, type Transaction, transaction } from '@enterprise-access/db';
import pLimit from 'p-limit';
import type { z } from 'zod';
import { enqueue, type JobRun } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { licenseEvent } from '../events.ts';
import { earlierRenewals, laterRenewals, live, type PlanRow, renewalsOf } from '../rules.ts';
import { findAgreement, findPlan, holdPlan, type LicenseRow, renewalsOfAgreements } from '../store.ts';
import { subscriptionPlans } from '../tables.ts';
import * as contracts from './job-contracts.ts';
import * as store from './store.ts';
import { eachPlan, inPages } from './sweep.ts';

const DAY_MS = 86_400_000;
/** Licences in one call of the LMS. */
const LICENSES_PER_CALL = 100;
const CALLS_AT_ONCE = 4;
const EVENTS_AT_ONCE = 1_000;

type Payload = z.infer<typeof contracts.expirePlans.payload>;

/**
 * The plans whose enrollments end because this one expired: none if it was renewed by a plan that has not expired;
 * else the last plan of the chain, then those before it, oldest first (R-LIC-71).
 */
export async function chainOf(
  { db }: Pick<Runtime, 'db'>,
  plan: Pick<PlanRow, 'uuid' | 'customerAgreementUuid'>,
  now: Date,
): Promise<PlanRow[]> {
  const renewals = renewalsOf(await renewalsOfAgreements(db, [plan.customerAgreementUuid]));
  const next = laterRenewals(renewals, plan.uuid).at(-1);
  const lastUuid = next ? next.renewedSubscriptionPlanUuid : plan.uuid;
  const last = lastUuid === null ? undefined : await findPlan(db, lastUuid);
  if (!last || last.expirationDate > now) return [];
  const earlier = earlierRenewals(renewals, last.uuid).map((each) => each.priorSubscriptionPlanUuid);
  const found = await Promise.all(earlier.filter((uuid) => uuid !== last.uuid).map((uuid) => findPlan(db, uuid)));
  return [last, ...found.filter((each) => each !== undefined)];
}

/** From when on changed enrollments are spared: the expiration of a plan that did not expire just now (R-LIC-73). */
export const spareAfter = ({ expirationDate }: Pick<PlanRow, 'expirationDate'>, now: Date): Date | null =>
  now.getTime() - expirationDate.getTime() > DAY_MS ? expirationDate : null;

/** Marks the whole chain as to be done, so that a job which ends in between leaves what it has not done. */
async function reopen(trx: Transaction, plans: readonly PlanRow[], now: Date): Promise<void> {
  for (const { uuid } of plans.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1))) {
    const plan = await holdPlan(trx, uuid);
    if (plan?.expirationProcessed)
      await subscriptionPlans.change(trx, plan, { ...plan, expirationProcessed: false, modified: now });
  }
}

/** Has the LMS end the enrollments of a plan's assigned and activated licences. Goes on where it was interrupted. */
async function endEnrollments({ runtime, signal }: JobRun, plan: PlanRow, batch: number, now: Date): Promise<number> {
  const { db, lms } = runtime;
  const limit = pLimit(CALLS_AT_ONCE);
  const spared = spareAfter(plan, now);
  let licenses = 0;
  // Progress with an earlier expiration of the plan does not count.
  const isSame = plan.expirationProgressOf?.getTime() === plan.expirationDate.getTime();
  const begin = isSame ? plan.expirationSentTo : null;
  const pages = inPages<LicenseRow>(signal, batch, (after, size) =>
    store.licensesAfter(db, plan.uuid, after?.uuid ?? begin, size),
  );
  for await (const page of pages) {
    const uuids = page.filter(({ status }) => live.has(status)).map(({ uuid }) => uuid);
    const calls = Array.from({ length: Math.ceil(uuids.length / LICENSES_PER_CALL) }, (_, at) =>
      uuids.slice(at * LICENSES_PER_CALL, (at + 1) * LICENSES_PER_CALL),
    );
    await Promise.all(calls.map((some) => limit(() => lms.endLicensedEnrollments(some, spared))));
    await store.rememberProgress(db, plan.uuid, {
      expirationProgressOf: plan.expirationDate,
      expirationSentTo: page.at(-1)?.uuid ?? null,
    });
    licenses += uuids.length;
  }
  return licenses;
}

/** The plan is done; a job announces it for each licence. */
async function markProcessed({ db, clock }: Runtime, planUuid: string): Promise<void> {
  await transaction(db, async (trx) => {
    const plan = await holdPlan(trx, planUuid);
    if (!plan) return;
    const now = clock();
    const after = {
      ...plan,
      expirationProcessed: true,
      expirationProgressOf: plan.expirationDate,
      expirationSentTo: null,
      expirationAnnouncedTo: null,
      modified: now,
    };
    await subscriptionPlans.change(trx, plan, after);
    const { enterpriseCustomerUuid } = plan;
    await enqueue(trx, now, contracts.announceExpiration, { planUuid, enterpriseCustomerUuid });
  });
}

const selectionOf = ({ expiredAfter, expiredBefore, subscriptionUuids, force }: Payload, now: Date): store.Expired => {
  const before = expiredBefore === undefined ? now : new Date(expiredBefore);
  return {
    now: before < now ? before : now,
    after: expiredAfter === undefined ? null : new Date(expiredAfter),
    uuids: subscriptionUuids === undefined ? null : subscriptionUuids.split(/[\s,]+/).filter(Boolean),
    isForced: force || subscriptionUuids !== undefined,
  };
};

/**
 * Expires a plan with its chain: all of it when the last plan is not done yet, or is done again; else what an
 * interrupted job has left.
 */
async function expireChain(
  job: JobRun,
  plan: PlanRow,
  { isForced, batch }: { readonly isForced: boolean; readonly batch: number },
): Promise<{ plans: number; licenses: number }> {
  const { runtime, dryRun } = job;
  const now = runtime.clock();
  const done = { plans: 0, licenses: 0 };
  // It may have been done with another plan of its chain meanwhile.
  if (!isForced && (await findPlan(runtime.db, plan.uuid))?.expirationProcessed !== false) return done;
  const chain = await chainOf(runtime, plan, now);
  const [last] = chain;
  const isWhole = last !== undefined && (!last.expirationProcessed || last.uuid === plan.uuid);
  if (!dryRun && isWhole) await transaction(runtime.db, (trx) => reopen(trx, chain, now));
  for (const { uuid } of chain) {
    const current = await findPlan(runtime.db, uuid);
    if (!current || (current.expirationProcessed && !(dryRun && isWhole))) continue;
    done.plans += 1;
    done.licenses += dryRun
      ? current.assignedCount + current.activatedCount
      : await endEnrollments(job, current, batch, now);
    if (!dryRun) await markProcessed(runtime, uuid);
  }
  return done;
}

/** None of the plans that were named has expired. */
class NothingExpired extends Error {
  override readonly name = 'NothingExpired';
}

/** R-LIC-71 to R-LIC-73. */
export async function onExpirePlans(job: JobRun, payload: Payload) {
  const selection = selectionOf(payload, job.runtime.clock());
  const done = { plans: 0, licenses: 0 };
  const { plans: found, failed } = await eachPlan<PlanRow>(
    job,
    (db, after, limit) => store.expiredPlans(db, selection, after, limit),
    async (plan) => {
      const { plans, licenses } = await expireChain(job, plan, { ...selection, batch: payload.batch });
      done.plans += plans;
      done.licenses += licenses;
    },
  );
  if (selection.uuids !== null && found === 0) throw new NothingExpired('None of these plans has expired.');
  return { ...done, failed };
}

/** An event for every licence of an expired plan that was not renewed (R-LIC-72). */
export async function onAnnounceExpiration(
  { runtime, signal, dryRun }: JobRun,
  { planUuid }: z.infer<typeof contracts.announceExpiration.payload>,
) {
  const { db, clock } = runtime;
  const plan = await findPlan(db, planUuid);
  const agreement = plan && (await findAgreement(db, plan.customerAgreementUuid));
  let events = 0;
  if (!plan || !agreement || !plan.expirationProcessed) return { events };
  const pages = inPages<LicenseRow>(signal, EVENTS_AT_ONCE, (after, limit) =>
    store.licensesAfter(db, planUuid, after?.uuid ?? plan.expirationAnnouncedTo, limit),
  );
  for await (const page of pages) {
    const messages = page
      .filter(({ renewedToUuid }) => renewedToUuid === null)
      .map((license) => licenseEvent('expired', { agreement, plan, license }));
    events += messages.length;
    if (dryRun) continue;
    await transaction(db, async (trx) => {
      await store.rememberProgress(trx, planUuid, { expirationAnnouncedTo: page.at(-1)?.uuid ?? null });
      await appendToOutbox(trx, clock(), messages);
    });
  }
  return { events };
}
