import { transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import type { PlanRow } from '../rules.ts';
import { changeLicenses, holdPlan, type LicenseRow } from '../store.ts';
import type * as contracts from './job-contracts.ts';
import * as store from './store.ts';
import { eachPlan, inPages } from './sweep.ts';

const DAY_MS = 86_400_000;
/** Days after the expiration of a plan. */
const UNLINK_AFTER_DAYS = 90;

/** Licences whose holders were not unlinked and have no other licence to use now. */
async function toUnlink({ db }: Pick<Runtime, 'db'>, page: readonly LicenseRow[], now: Date): Promise<LicenseRow[]> {
  const kept = await store.withUsableLicense(db, page, now);
  return page.filter(({ uuid }) => !kept.has(uuid));
}

/** Remembers who was unlinked, if the licence is still the same person's. */
async function markUnlinked({ db, clock }: Runtime, planUuid: string, unlinked: readonly LicenseRow[]): Promise<void> {
  const addressOf = new Map(unlinked.map(({ uuid, userEmail }) => [uuid, userEmail]));
  await transaction(db, async (trx) => {
    if (!(await holdPlan(trx, planUuid))) return;
    const rows = (await store.licensesOf(trx, planUuid, [...addressOf.keys()])).filter(
      ({ uuid, userEmail }) => userEmail === addressOf.get(uuid),
    );
    const now = clock();
    await changeLicenses(trx, planUuid, rows, { unlinked: now, modified: now }, 'unlinked');
  });
}

/** R-LIC-74, for the customers of the setting. The LMS is asked before it is remembered, and may be asked again. */
export async function onUnlinkExpired(job: JobRun, { batch }: z.infer<typeof contracts.unlinkExpired.payload>) {
  const { runtime, signal, dryRun } = job;
  const { db, clock, lms, settings } = runtime;
  const now = clock();
  const before = new Date(now.getTime() - UNLINK_AFTER_DAYS * DAY_MS);
  let unlinked = 0;
  const { failed } = await eachPlan<PlanRow>(
    job,
    (_db, after, limit) => store.longExpiredPlans(db, settings.customersToUnlink, before, after, limit),
    async ({ uuid: planUuid, enterpriseCustomerUuid }) => {
      const pages = inPages<LicenseRow>(signal, batch, (after, limit) =>
        store.linkedLicenses(db, planUuid, after?.uuid ?? null, limit),
      );
      for await (const page of pages) {
        const due = await toUnlink(runtime, page, now);
        const emails = due.flatMap(({ userEmail }) => userEmail ?? []);
        unlinked += due.length;
        if (dryRun || emails.length === 0) continue;
        await lms.unlinkLearners(enterpriseCustomerUuid, emails);
        await markUnlinked(runtime, planUuid, due);
      }
    },
  );
  return { unlinked, failed };
}
