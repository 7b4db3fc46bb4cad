import { transaction } from '@enterprise-access/db';
import { stringify } from 'csv-stringify/sync';
import pLimit from 'p-limit';
import type { z } from 'zod';
import { foldEmail } from '../../kernel/email.ts';
import { enqueueOnce, type JobRun } from '../../kernel/jobs/job.ts';
import type { LicensedEnrollment, LicensedOutcome } from '../../kernel/ports/lms.ts';
import { UpstreamFailure, UpstreamRefusal } from '../../kernel/ports/upstream.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { isActiveAndCurrent, type PlanRow } from '../rules.ts';
import { findPlan, heldLicensesAfter, licensesOfLearners, plansOfAgreements } from '../store.ts';
import { type enrollInBulk, mailBulkResult } from './job-contracts.ts';
import { GROUP, groupsOf, licenseFor, pairsOf, resultName, wording } from './rules.ts';
import * as store from './store.ts';

type Result = z.infer<typeof enrollInBulk.result>;

const NOTHING: Result = { enrolled: 0, pending: 0, failed: 0, missingSubscription: 0, invalidAddress: 0 };
const BATCHES_AT_ONCE = 100;
const CATALOG_CALLS = 5;
const CSV_ROWS = 1_000;

export async function onEnrollInBulk(
  job: JobRun,
  { bulkEnrollmentUuid: uuid }: z.infer<typeof enrollInBulk.payload>,
): Promise<Result> {
  const { db } = job.runtime;
  const bulk = await store.find(db, uuid);
  if (!bulk) return NOTHING;
  if (bulk.finished === null && !job.dryRun) {
    await findLearners(job, bulk);
    await workOff(job, bulk);
    await finish(job, bulk);
  }
  const { success, pending, failed, missing_subscription, invalid_address } = await store.countsOf(db, uuid);
  return {
    enrolled: success,
    pending,
    failed,
    missingSubscription: missing_subscription,
    invalidAddress: invalid_address,
  };
}

/** Stores the pairs of everybody who holds a licence of the plan, a group of learners per transaction. */
async function findLearners({ runtime, signal }: JobRun, { uuid }: store.BulkRow): Promise<void> {
  const step = () =>
    transaction(runtime.db, async (trx): Promise<boolean> => {
      const bulk = await store.holdUnplanned(trx, uuid);
      if (!bulk || bulk.subscriptionPlanUuid === null) return false;
      const licenses = await heldLicensesAfter(trx, bulk.subscriptionPlanUuid, bulk.plannedTo, GROUP);
      const emails = licenses.flatMap(({ userEmail }) => (userEmail === null ? [] : [userEmail]));
      const { position, batch } = await store.lastPair(trx, uuid);
      const pairs = pairsOf(emails, bulk.courseRunKeys, { position: position + 1, batch: batch + 1 });
      await store.insertPairs(trx, bulk, pairs, runtime.clock());
      const isPlanned = licenses.length < GROUP;
      const plannedTo = licenses.at(-1)?.uuid ?? bulk.plannedTo;
      await store.change(trx, bulk, { ...bulk, plannedTo, isPlanned, modified: runtime.clock() });
      return !isPlanned;
    });
  do signal.throwIfAborted();
  while (await step());
}

/**
 * Works on all batches with pairs that have no outcome. A batch for which a service does not answer stays open for the
 * next attempt, and the others go on; after the last attempt its pairs have failed.
 */
async function workOff(job: JobRun, bulk: store.BulkRow): Promise<void> {
  const { runtime, signal } = job;
  const { db } = runtime;
  const plans = await usablePlans(runtime, bulk);
  const { waiting, ...ended } = await store.countsOf(db, bulk.uuid);
  let done = Object.values(ended).reduce((sum, n) => sum + n, 0);
  const total = done + waiting;
  let failure: UpstreamFailure | null = null;
  for (let last = -1; ; ) {
    const batches = await store.openBatches(db, bulk.uuid, last, BATCHES_AT_ONCE);
    for (const batch of batches) {
      signal.throwIfAborted();
      try {
        done += await enrollBatch(runtime, bulk, plans, batch);
        await job.progress(done, total);
      } catch (error) {
        if (!(error instanceof UpstreamFailure)) throw error;
        failure ??= error;
      }
    }
    last = batches.at(-1) ?? last;
    if (batches.length < BATCHES_AT_ONCE) break;
  }
  if (failure === null) return;
  if (!job.isLast) throw failure;
  await store.closeOpenPairs(db, bulk.uuid, 'failed');
}

/** Plans whose licences enroll: active and current (W-29). */
async function usablePlans({ db, clock }: Pick<Runtime, 'db' | 'clock'>, bulk: store.BulkRow): Promise<PlanRow[]> {
  const { subscriptionPlanUuid: uuid, customerAgreementUuid } = bulk;
  const plans = uuid === null ? await plansOfAgreements(db, [customerAgreementUuid]) : [await findPlan(db, uuid)];
  return plans.filter((plan) => plan !== undefined).filter((plan) => isActiveAndCurrent(plan, clock()));
}

/** Chooses the licences, stores the choice, calls the LMS, stores the outcomes. Returns the number of pairs. */
async function enrollBatch(
  runtime: Runtime,
  bulk: store.BulkRow,
  plans: readonly PlanRow[],
  batch: number,
): Promise<number> {
  const { db } = runtime;
  const pairs = await store.openPairs(db, bulk.uuid, batch);
  const containing = await plansByCourse(runtime, plans, pairs);
  const emails = [...new Set(pairs.map(({ email }) => foldEmail(email)))];
  const licenses = Map.groupBy(
    await licensesOfLearners(
      db,
      plans.map(({ uuid }) => uuid),
      emails,
    ),
    ({ userEmail }) => foldEmail(userEmail ?? ''),
  );
  const chosen = pairs.map(({ position, email, courseRunKey, licenseUuid: before }) => {
    const license = licenseFor(licenses.get(foldEmail(email)) ?? [], containing.get(courseRunKey) ?? new Map(), before);
    return { position, email, courseRunKey, licenseUuid: license?.uuid ?? null };
  });
  // Stored before the call, so that a repeat after a crash uses the same licence and the LMS enrolls nobody twice.
  await store.setPairs(
    db,
    bulk.uuid,
    chosen.map((pair) => ({ ...pair, outcome: pair.licenseUuid === null ? 'missing_subscription' : null })),
  );
  const items = chosen.flatMap(({ licenseUuid, ...pair }) => (licenseUuid === null ? [] : [{ ...pair, licenseUuid }]));
  const outcomes = items.length === 0 ? [] : await outcomesOf(runtime, bulk, items);
  await store.setPairs(
    db,
    bulk.uuid,
    items.map((item, at) => ({ ...item, outcome: outcomes[at] ?? 'failed' })),
  );
  return pairs.length;
}

/** Plans whose catalog contains the course run, by course run and plan. */
async function plansByCourse(
  { catalog }: Pick<Runtime, 'catalog'>,
  plans: readonly PlanRow[],
  pairs: readonly store.PairRow[],
): Promise<Map<string, Map<string, PlanRow>>> {
  const keys = [...new Set(pairs.map(({ courseRunKey }) => courseRunKey))];
  const catalogs = [...new Set(plans.map(({ enterpriseCatalogUuid }) => enterpriseCatalogUuid))];
  const limit = pLimit(CATALOG_CALLS);
  const asked = keys.flatMap((key) => catalogs.map((uuid) => ({ key, uuid })));
  const found = await Promise.all(asked.map(({ key, uuid }) => limit(() => catalog.contains(uuid, key))));
  const containing = new Set(asked.filter((_, at) => found[at]).map(({ key, uuid }) => `${uuid} ${key}`));
  return new Map(
    keys.map((key) => [
      key,
      new Map(
        plans
          .filter(({ enterpriseCatalogUuid: uuid }) => containing.has(`${uuid} ${key}`))
          .map((plan) => [plan.uuid, plan]),
      ),
    ]),
  );
}

/** The LMS rejects a request as a whole for one bad item, so a rejected one is divided until the item is alone. */
async function outcomesOf(
  { lms, log }: Pick<Runtime, 'lms' | 'log'>,
  bulk: store.BulkRow,
  items: readonly LicensedEnrollment[],
): Promise<readonly LicensedOutcome[]> {
  const ask = async (some: readonly LicensedEnrollment[]): Promise<readonly LicensedOutcome[]> => {
    try {
      return await lms.enrollWithLicenses(bulk.enterpriseCustomerUuid, some, { notify: bulk.notify });
    } catch (error) {
      if (!(error instanceof UpstreamRefusal)) throw error;
      if (error.status === 400 && some.length > 1)
        return (await Promise.all(groupsOf(some, Math.ceil(some.length / 2)).map(ask))).flat();
      log.warn({ status: error.status, bulkEnrollment: bulk.uuid, pairs: some.length }, 'the LMS refused enrollments');
      return some.map(() => 'failed');
    }
  };
  return ask(items);
}

/** Stores the result, then that it is there, together with the mail about it. */
async function finish({ runtime }: JobRun, { uuid }: store.BulkRow): Promise<void> {
  const { db, clock, files } = runtime;
  const bulk = await store.find(db, uuid);
  if (!bulk || bulk.finished !== null) return;
  const resultFile = resultName(bulk);
  await files.write(resultFile, resultOf(runtime, uuid));
  await transaction(db, async (trx) => {
    const now = clock();
    await store.change(trx, bulk, { ...bulk, resultFile, finished: now, modified: now }, 'finished');
    const { enterpriseCustomerUuid } = bulk;
    const payload = { bulkEnrollmentUuid: uuid, enterpriseCustomerUuid };
    await enqueueOnce(trx, now, mailBulkResult, [{ occasion: uuid, payload, enterpriseCustomerUuid }]);
  });
}

const HEADER = 'email address,course key,enrollment status,notes\r\n';

/** The result as CSV. A text that a spreadsheet would take for a formula gets a quote in front. */
async function* resultOf({ db }: Pick<Runtime, 'db'>, uuid: string): AsyncGenerator<string> {
  yield HEADER;
  for (let last = -1; ; ) {
    const pairs = await store.pairsAfter(db, uuid, last, CSV_ROWS);
    const rows = pairs.map(({ email, courseRunKey, outcome }) => [
      email,
      courseRunKey,
      ...wording[outcome ?? 'failed'],
    ]);
    if (rows.length > 0) yield stringify(rows, { escape_formulas: true, record_delimiter: 'windows' });
    last = pairs.at(-1)?.position ?? last;
    if (pairs.length < CSV_ROWS) return;
  }
}
