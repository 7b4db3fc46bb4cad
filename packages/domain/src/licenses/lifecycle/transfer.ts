import { isUniqueViolation, transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import { foldEmail } from '../../kernel/email.ts';
import type { JobRun } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { holdPlans } from '../provisioning-store.ts';
import { live, type PlanRow } from '../rules.ts';
import { findPlan, type LicenseRow, liveLicenses, moveLicenses } from '../store.ts';
import type * as contracts from './job-contracts.ts';
import * as store from './store.ts';
import { inPages } from './sweep.ts';

type Payload = z.infer<typeof contracts.transfer.payload>;
type Result = z.infer<typeof contracts.transfer.result>;

/** Uuids in one statement. */
const NAMED_AT_ONCE = 100;

const refused = (reason: NonNullable<Result['reason']>, numbers: Partial<Result> = {}): Result => ({
  outcome: 'refused',
  reason,
  moved: 0,
  duplicates: 0,
  ...numbers,
});

/** Why licences cannot go from one plan to the other; null if they can (R-LIC-95, W-34). */
export function obstacle(
  from: PlanRow | undefined,
  to: PlanRow | undefined,
  isNamed: boolean,
): NonNullable<Result['reason']> | null {
  if (!from || !to) return 'unknown_plan';
  if (from.uuid === to.uuid) return 'same_plan';
  if (from.customerAgreementUuid !== to.customerAgreementUuid) return 'other_agreement';
  return isNamed ? null : 'nothing_named';
}

/** Licences to move: all of the plan, or those of a list that somebody holds; others of the list are passed over. */
async function* candidates(
  { runtime: { db }, signal }: JobRun,
  planUuid: string,
  named: readonly string[] | null,
  batch: number,
): AsyncGenerator<readonly LicenseRow[]> {
  if (named === null) {
    yield* inPages<LicenseRow>(signal, batch, (after, limit) =>
      store.licensesAfter(db, planUuid, after?.uuid ?? null, limit),
    );
    return;
  }
  for (let at = 0; at < named.length; at += NAMED_AT_ONCE) {
    signal.throwIfAborted();
    const rows = await store.licensesOf(db, planUuid, named.slice(at, at + NAMED_AT_ONCE));
    yield rows.filter(({ status }) => live.has(status));
  }
}

const keysOf = (rows: readonly LicenseRow[]): string[] =>
  rows.flatMap(({ status, userEmail }) => (live.has(status) && userEmail !== null ? [foldEmail(userEmail)] : []));

/** Moves licences with their counters. Those that left the plan meanwhile are passed over. */
const move = ({ db, clock }: Runtime, from: string, to: string, uuids: readonly string[], isNamed: boolean) =>
  transaction(db, async (trx) => {
    if ((await holdPlans(trx, [from, to])).size < 2) return 0;
    const rows = (await store.licensesOf(trx, from, uuids)).filter(({ status }) => !isNamed || live.has(status));
    await moveLicenses(trx, { from, to }, rows, clock());
    return rows.length;
  });

/**
 * R-LIC-95, R-LIC-96. If somebody already has a licence in the other plan, nothing is moved (W-18). Moved licences are
 * not in the plan any more, so that a repeated job moves the rest.
 */
export async function onTransfer(job: JobRun, payload: Payload): Promise<Result> {
  const { runtime, dryRun } = job;
  const { oldPlanUuid, newPlanUuid, transferAll, batch } = payload;
  const named = transferAll ? null : payload.licenseUuids.split(/[\s,|]+/).filter(Boolean);
  const [from, to] = await Promise.all([findPlan(runtime.db, oldPlanUuid), findPlan(runtime.db, newPlanUuid)]);
  const reason = obstacle(from, to, named === null || named.length > 0);
  if (reason !== null) return refused(reason);
  let [found, duplicates] = [0, 0];
  for await (const page of candidates(job, oldPlanUuid, named, batch)) {
    found += page.length;
    duplicates += (await liveLicenses(runtime.db, newPlanUuid, keysOf(page))).length;
  }
  if (duplicates > 0) return refused('duplicates', { duplicates });
  if (dryRun) return { outcome: 'moved', reason: null, moved: found, duplicates: 0 };
  let moved = 0;
  try {
    for await (const page of candidates(job, oldPlanUuid, named, batch)) {
      const uuids = page.map(({ uuid }) => uuid);
      moved += await move(runtime, oldPlanUuid, newPlanUuid, uuids, named !== null);
      await job.progress(moved, found);
    }
  } catch (error) {
    // Somebody got a licence in the other plan since the check.
    if (isUniqueViolation(error)) return refused('duplicates', { duplicates: 1, moved });
    throw error;
  }
  return { outcome: 'moved', reason: null, moved, duplicates: 0 };
}
