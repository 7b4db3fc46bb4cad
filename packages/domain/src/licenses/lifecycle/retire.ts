import { appendToOutbox, forgetLearners, type Transaction, transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../../kernel/jobs/job.ts';
import { licenseEvent } from '../events.ts';
import { freed, nobody } from '../rules.ts';
import { changeLicenses, findAgreement, holdPlan, type LicenseRow } from '../store.ts';
import type { LicenseStatus } from '../view-contract.ts';
import type * as contracts from './job-contracts.ts';
import * as store from './store.ts';
import { eachPlan, inPages } from './sweep.ts';

const DAY_MS = 86_400_000;

/** What becomes of a licence without its holder. */
type Outcome = 'revoked' | 'cleared' | 'released';

interface Pass {
  readonly status: LicenseStatus;
  readonly outcome: Outcome;
  readonly isDue: (license: Pick<LicenseRow, 'assignedDate' | 'revokedDate'>) => boolean;
}

/**
 * Which licences of a plan lose their holder (R-LIC-75): all of them when the plan expired long ago; else, of plans
 * that are not internal, those that were revoked, or assigned and never activated, long ago.
 */
export function passesOf(
  plan: Pick<store.PurgedPlan, 'expirationDate' | 'forInternalUseOnly' | 'daysBeforePurge'>,
  now: Date,
): Pass[] {
  const limit = new Date(now.getTime() - plan.daysBeforePurge * DAY_MS);
  if (plan.expirationDate < limit) {
    const isDue = () => true;
    return [
      { status: 'assigned', outcome: 'revoked', isDue },
      { status: 'activated', outcome: 'revoked', isDue },
      { status: 'revoked', outcome: 'cleared', isDue },
    ];
  }
  if (plan.forInternalUseOnly) return [];
  const isOld = (date: Date | null): boolean => date !== null && date < limit;
  return [
    { status: 'revoked', outcome: 'cleared', isDue: ({ revokedDate }) => isOld(revokedDate) },
    { status: 'assigned', outcome: 'released', isDue: ({ assignedDate }) => isOld(assignedDate) },
  ];
}

const changeFor = (outcome: Outcome, now: Date): Partial<LicenseRow> => {
  if (outcome === 'released') return { ...freed, modified: now };
  if (outcome === 'cleared') return { ...nobody, modified: now };
  return { ...nobody, status: 'revoked', revokedDate: now, modified: now };
};

/** Removes the holders of these licences of a held plan, and what the audit trail knows of them. */
export async function removeHolders(
  trx: Transaction,
  planUuid: string,
  rows: readonly LicenseRow[],
  outcome: Outcome,
  now: Date,
): Promise<void> {
  await forgetLearners(
    trx,
    rows.map(({ uuid }) => uuid),
  );
  await changeLicenses(trx, planUuid, rows, changeFor(outcome, now), 'retired');
}

/** Retires the due ones among these licences. Plan and licences may have changed since they were found. */
async function retireSome(
  trx: Transaction,
  { uuid, daysBeforePurge }: store.PurgedPlan,
  { status, outcome }: Pass,
  uuids: readonly string[],
  now: Date,
): Promise<number> {
  const held = await holdPlan(trx, uuid);
  const pass = held && passesOf({ ...held, daysBeforePurge }, now).find((each) => each.outcome === outcome);
  if (!held || !pass) return 0;
  const rows = (await store.licensesOf(trx, uuid, uuids)).filter(
    (row) => row.status === status && row.userEmail !== null && pass.isDue(row),
  );
  await removeHolders(trx, uuid, rows, outcome, now);
  const agreement = outcome === 'revoked' && (await findAgreement(trx, held.customerAgreementUuid));
  if (agreement) {
    // As the licences were: afterwards nobody knows whose they were.
    const events = rows.map((license) =>
      licenseEvent('revoked', { agreement, plan: held, license: { ...license, status: 'revoked' } }),
    );
    await appendToOutbox(trx, now, events);
  }
  return rows.length;
}

/** R-LIC-75. A retired licence has no address, so that a repeated job goes on where the one before ended. */
export async function onRetire(job: JobRun, { batch }: z.infer<typeof contracts.retire.payload>) {
  const { signal, dryRun } = job;
  const { db, clock } = job.runtime;
  const done: Record<Outcome, number> = { revoked: 0, cleared: 0, released: 0 };
  const { failed } = await eachPlan(job, store.plansWithAddresses, async (plan) => {
    const now = clock();
    for (const pass of passesOf(plan, now)) {
      const pages = inPages<store.Addressed>(signal, batch, (after, limit) =>
        store.addressed(db, plan.uuid, pass.status, after, limit),
      );
      for await (const page of pages) {
        const due = page.filter(pass.isDue).map(({ uuid }) => uuid);
        if (due.length === 0) continue;
        done[pass.outcome] += dryRun
          ? due.length
          : await transaction(db, (trx) => retireSome(trx, plan, pass, due, now));
      }
    }
  });
  return { ...done, failed };
}
