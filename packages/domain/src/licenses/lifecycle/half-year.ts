import { appendToOutbox, type Transaction, transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../../kernel/jobs/job.ts';
import { activatedHalfYearAgo } from '../events.ts';
import type { PlanRow } from '../rules.ts';
import { changeLicenses, findAgreement, holdPlan, type LicenseRow } from '../store.ts';
import type * as contracts from './job-contracts.ts';
import * as store from './store.ts';
import { eachPlan, inPages } from './sweep.ts';

const HALF_YEAR_MS = 180 * 86_400_000;

/** Whether the event is due; it is sent once for a licence and its holder. */
const isDue = ({ status, activationDate, halfYearAnnounced }: LicenseRow, before: Date): boolean =>
  status === 'activated' && halfYearAnnounced === null && activationDate !== null && activationDate < before;

async function announce(trx: Transaction, planUuid: string, uuids: readonly string[], now: Date): Promise<number> {
  const plan = await holdPlan(trx, planUuid);
  const agreement = plan && (await findAgreement(trx, plan.customerAgreementUuid));
  if (!plan || !agreement) return 0;
  const before = new Date(now.getTime() - HALF_YEAR_MS);
  const rows = (await store.licensesOf(trx, planUuid, uuids)).filter((row) => isDue(row, before));
  await changeLicenses(trx, planUuid, rows, { halfYearAnnounced: now, modified: now });
  await appendToOutbox(
    trx,
    now,
    rows.map((license) => activatedHalfYearAgo(agreement, plan, license)),
  );
  return rows.length;
}

/** Licences of active plans that were activated more than 180 days ago, of the customers of the setting. */
export async function onAnnounceHalfYear(job: JobRun, { batch }: z.infer<typeof contracts.announceHalfYear.payload>) {
  const { runtime, signal, dryRun } = job;
  const { db, clock, settings } = runtime;
  const now = clock();
  const before = new Date(now.getTime() - HALF_YEAR_MS);
  let announced = 0;
  const { failed } = await eachPlan<PlanRow>(
    job,
    (_db, after, limit) => store.activePlansOf(db, settings.customersWithHalfYearEvents, after, limit),
    async ({ uuid: planUuid }) => {
      const pages = inPages<LicenseRow>(signal, batch, (after, limit) =>
        store.activatedLicenses(db, planUuid, after, limit, before),
      );
      for await (const page of pages) {
        const uuids = page.filter((row) => isDue(row, before)).map(({ uuid }) => uuid);
        if (uuids.length === 0) continue;
        announced += dryRun ? uuids.length : await transaction(db, (trx) => announce(trx, planUuid, uuids, now));
      }
    },
  );
  return { announced, failed };
}
