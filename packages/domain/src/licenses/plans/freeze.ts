import { appendToOutbox, recordChanges, type Transaction, transaction } from '@enterprise-access/db';
import { z } from 'zod';
import type { Input, Output } from '../../kernel/contract.ts';
import { defineJob, enqueue, type JobRun } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { licenseEvent } from '../events.ts';
import * as provisioningStore from '../provisioning-store.ts';
import * as store from '../store.ts';
import { licenses } from '../tables.ts';
import * as contract from './provisioning-contract.ts';
import { recordSeats } from './seats.ts';
import { planNotFound } from './service.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;

const BATCH = 1_000;
const count = z.int().min(0);

const deletion = (name: string, summary: string) =>
  defineJob({
    name,
    summary,
    payload: z.object({ planUuid: z.guid(), enterpriseCustomerUuid: z.guid() }),
    result: z.object({ deleted: count }),
    keyOf: ({ planUuid }) => planUuid,
    retry: { limit: 10, delaySeconds: 5, maximumDelaySeconds: 300 },
    timeoutSeconds: 7_200,
    reportsProgress: true,
  });

export const deleteUnused = deletion('licenses.deleteUnused', 'Delete the unused licences of a frozen plan.');
export const deleteRevoked = deletion('licenses.deleteRevoked', 'Delete the revoked licences of a plan.');

type Payload = z.infer<typeof deleteUnused.payload>;

/** Stamps the plan, after which it gets no licences any more, and enqueues the deletion (R-LIC-22). */
export const freeze = ({ db, clock }: Deps, { uuid }: Input<typeof contract.freeze>) =>
  transaction(db, async (trx): Promise<Output<typeof contract.freeze>> => {
    const plan = await store.holdPlan(trx, uuid);
    if (!plan) throw planNotFound();
    if (!plan.canFreezeUnusedLicenses) {
      const message = `Cannot freeze ${plan.title}. The plan does not support freezing unused licenses.`;
      throw contract.cannotFreeze({}, { message });
    }
    const now = clock();
    const { enterpriseCustomerUuid } = plan;
    await provisioningStore.changePlan(trx, plan, { lastFreezeTimestamp: now }, now);
    return {
      lastFreezeTimestamp: now,
      job: await enqueue(trx, now, deleteUnused, { planUuid: uuid, enterpriseCustomerUuid }),
    };
  });

export const startDeletingRevoked = ({ db, clock }: Deps, { uuid }: Input<typeof contract.deleteRevoked>) =>
  transaction(db, async (trx) => {
    const plan = await store.findPlan(trx, uuid);
    if (!plan) throw planNotFound();
    const { enterpriseCustomerUuid } = plan;
    return { job: await enqueue(trx, clock(), deleteRevoked, { planUuid: uuid, enterpriseCustomerUuid }) };
  });

/** Repeats a batch until it deletes nothing. */
async function inBatches({ signal, progress }: JobRun, total: number, batch: () => Promise<number>): Promise<number> {
  let deleted = 0;
  for (;;) {
    signal.throwIfAborted();
    const more = await batch();
    if (more === 0) return deleted;
    deleted += more;
    await progress(deleted, Math.max(total, deleted));
  }
}

export async function onDeleteUnused(job: JobRun, { planUuid }: Payload): Promise<{ deleted: number }> {
  const { db } = job.runtime;
  const plan = await store.findPlan(db, planUuid);
  if (!plan || plan.lastFreezeTimestamp === null) return { deleted: 0 };
  if (job.dryRun) return { deleted: plan.unassignedCount };
  const batch = () =>
    transaction(db, async (trx) => {
      const held = await store.holdPlan(trx, planUuid);
      if (!held || held.lastFreezeTimestamp === null) return 0;
      const free = await store.takeUnassigned(trx, planUuid, BATCH);
      if (free.length === 0) return 0;
      await deleteLicenses(trx, free);
      recordSeats(trx, held, 'deleted', free.length);
      await store.moveCounters(trx, planUuid, { unassignedCount: -free.length });
      return free.length;
    });
  return { deleted: await inBatches(job, plan.unassignedCount, batch) };
}

const deleteLicenses = (trx: Transaction, rows: readonly { readonly uuid: string }[]) =>
  trx(licenses.table)
    .whereIn(
      'uuid',
      rows.map(({ uuid }) => uuid),
    )
    .delete();

export async function onDeleteRevoked(job: JobRun, { planUuid }: Payload): Promise<{ deleted: number }> {
  const { db } = job.runtime;
  const plan = await store.findPlan(db, planUuid);
  if (!plan) return { deleted: 0 };
  if (job.dryRun) return { deleted: plan.revokedCount };
  const batch = () => transaction(db, (trx) => deleteRevokedBatch(job.runtime, trx, planUuid));
  return { deleted: await inBatches(job, plan.revokedCount, batch) };
}

/** Licences that were renewed to a deleted one forget that; so the plan before is held as well. */
async function deleteRevokedBatch({ clock }: Deps, trx: Transaction, planUuid: string): Promise<number> {
  const prior = await provisioningStore.priorPlanOf(trx, planUuid);
  const plan = (await provisioningStore.holdPlans(trx, prior === null ? [planUuid] : [planUuid, prior])).get(planUuid);
  const agreement = plan && (await store.findAgreement(trx, plan.customerAgreementUuid));
  if (!plan || !agreement) return 0;
  const revoked = await provisioningStore.revokedLicenses(trx, planUuid, BATCH);
  if (revoked.length === 0) return 0;
  const origins = await provisioningStore.licensesRenewedTo(
    trx,
    revoked.map(({ uuid }) => uuid),
  );
  if (prior !== null)
    await store.writeLicenses(
      trx,
      prior,
      origins.map((before) => ({ before, after: { ...before, renewedToUuid: null, modified: clock() } })),
    );
  await deleteLicenses(trx, revoked);
  recordChanges(
    trx,
    licenses,
    revoked.map((before) => ({ before, after: null })),
  );
  await appendToOutbox(
    trx,
    clock(),
    revoked.map((license) => licenseEvent('deleted', { agreement, plan, license })),
  );
  const retired = revoked.filter(({ userEmail }) => userEmail === null).length;
  await store.moveCounters(trx, planUuid, { revokedCount: -revoked.length, retiredCount: -retired });
  return revoked.length;
}
