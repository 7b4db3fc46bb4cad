import { recordChanges, type Transaction, transaction } from '@enterprise-access/db';
import { z } from 'zod';
import { newUuid } from '../../kernel/ids.ts';
import { defineJob, enqueue, type JobRun } from '../../kernel/jobs/job.ts';
import { licenseCount, type PlanRow } from '../rules.ts';
import * as store from '../store.ts';
import { licenses, subscriptionPlans } from '../tables.ts';

/** More licences than this are added by a job (R-LIC-20). */
const MOST_AT_ONCE = 300;
/** Licences in one statement and transaction of the job. */
const BATCH = 5_000;

/** Licences that a plan lacks; a frozen plan lacks none (R-LIC-20). Never negative: licences are not taken away. */
export const missingSeats = (plan: PlanRow): number =>
  plan.lastFreezeTimestamp === null ? Math.max(0, (plan.desiredNumLicenses ?? 0) - licenseCount(plan)) : 0;

const count = z.int().min(0);

export const provisionSeats = defineJob({
  name: 'licenses.provision',
  summary: 'Add licences to a plan up to its desired number; continues after an interruption.',
  payload: z.object({ planUuid: z.guid(), enterpriseCustomerUuid: z.guid() }),
  result: z.object({ added: count, total: count }),
  keyOf: ({ planUuid }) => planUuid,
  retry: { limit: 10, delaySeconds: 5, maximumDelaySeconds: 300 },
  timeoutSeconds: 7_200,
  reportsProgress: true,
});

/** A free licence without a holder. The columns that are left out take their defaults: null and false. */
const seatRow = ({ uuid, enterpriseCustomerUuid }: PlanRow, now: Date) =>
  licenses.encode({
    uuid: newUuid(),
    enterpriseCustomerUuid,
    subscriptionPlanUuid: uuid,
    status: 'unassigned',
    created: now,
    modified: now,
  });

/** Stores free licences of a plan, in statements of bounded size. The caller moves the counter. */
export async function insertSeats(trx: Transaction, plan: PlanRow, seats: number, now: Date): Promise<void> {
  for (let left = seats; left > 0; left -= BATCH)
    await trx(licenses.table).insert(Array.from({ length: Math.min(left, BATCH) }, () => seatRow(plan, now)));
}

/** New free licences have no record each: that of the plan says how many there are. */
export const recordSeats = (trx: Transaction, plan: PlanRow, what: string, seats: number): void =>
  recordChanges(trx, subscriptionPlans, [{ before: plan, after: plan, note: `${what} ${seats} licenses` }]);

export interface Provisioned {
  /** Licences that were added at once. */
  readonly added: number;
  readonly job: string | null;
}

/** Adds the licences that a plan lacks, or enqueues the job that does. The caller holds the plan, or made it. */
export async function provisionWithin(trx: Transaction, plan: PlanRow, now: Date): Promise<Provisioned> {
  const { uuid: planUuid, enterpriseCustomerUuid } = plan;
  const missing = missingSeats(plan);
  if (missing === 0) return { added: 0, job: null };
  if (missing > MOST_AT_ONCE)
    return { added: 0, job: await enqueue(trx, now, provisionSeats, { planUuid, enterpriseCustomerUuid }) };
  await insertSeats(trx, plan, missing, now);
  recordSeats(trx, plan, 'provisioned', missing);
  await store.moveCounters(trx, planUuid, { unassignedCount: missing });
  return { added: missing, job: null };
}

type Result = z.infer<typeof provisionSeats.result>;

export async function onProvisionSeats(
  { runtime, signal, dryRun, progress }: JobRun,
  { planUuid }: z.infer<typeof provisionSeats.payload>,
): Promise<Result> {
  let added = 0;
  for (;;) {
    signal.throwIfAborted();
    const plan = await store.findPlan(runtime.db, planUuid);
    const missing = plan ? missingSeats(plan) : 0;
    if (!plan || missing === 0) return { added, total: plan ? licenseCount(plan) : 0 };
    if (dryRun) return { added: missing, total: licenseCount(plan) + missing };
    added += await addBatch(runtime, plan, Math.min(missing, BATCH));
    await progress(licenseCount(plan) + Math.min(missing, BATCH), licenseCount(plan) + missing);
  }
}

/**
 * Inserts first and locks the plan last, so that others can assign its licences meanwhile. What the plan lacks was read
 * without a lock: if it lacks less by now, nothing is stored, and the caller reads it again.
 */
async function addBatch({ db, clock }: JobRun['runtime'], plan: PlanRow, seats: number): Promise<number> {
  try {
    await transaction(db, async (trx) => {
      await insertSeats(trx, plan, seats, clock());
      recordSeats(trx, plan, 'provisioned', seats);
      if (!(await store.countNewSeats(trx, plan.uuid, seats))) throw new TooMany();
    });
    return seats;
  } catch (error) {
    if (error instanceof TooMany) return 0;
    throw error;
  }
}

/** Others added licences, or the plan was changed, since it was read. */
class TooMany extends Error {}
