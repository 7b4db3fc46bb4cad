import { transaction } from '@enterprise-access/db';
import type { JobRun } from '../../kernel/jobs/job.ts';
import { provisionWithin } from '../plans/seats.ts';
import { changePlan } from '../provisioning-store.ts';
import { type AgreementRow, isActiveAndCurrent, licenseCount, type PlanRow } from '../rules.ts';
import { holdPlan, plansOfAgreements } from '../store.ts';
import * as store from './store.ts';
import { eachPlan } from './sweep.ts';

type Scaling = Pick<
  AgreementRow,
  'autoScalingMaxLicenses' | 'autoScalingThresholdPercentage' | 'autoScalingIncrementPercentage'
>;
type Counts = Pick<PlanRow, 'unassignedCount' | 'assignedCount' | 'activatedCount'>;

/**
 * Licences to add (R-LIC-58): when less than the part beyond the threshold is free, some percent of what there is, up
 * to the maximum. Null if the agreement does not say how (W-33).
 */
export function licensesToAdd(
  {
    autoScalingMaxLicenses: maximum,
    autoScalingThresholdPercentage: threshold,
    autoScalingIncrementPercentage: increment,
  }: Scaling,
  plan: Counts,
): number | null {
  if (maximum === null || threshold === null || increment === null) return null;
  const total = licenseCount(plan);
  if (total === 0 || plan.unassignedCount * 100 >= (100 - threshold) * total) return 0;
  return Math.max(0, Math.trunc(Math.min((total * increment) / 100, maximum - total)));
}

/** The plan that grows: active and current; the newest start wins. */
const growing = (plans: readonly PlanRow[], now: Date): PlanRow | undefined =>
  plans
    .filter((plan) => isActiveAndCurrent(plan, now) && plan.lastFreezeTimestamp === null)
    .toSorted((a, b) => b.startDate.getTime() - a.startDate.getTime() || (a.uuid < b.uuid ? -1 : 1))[0];

/** Adds licences to the current plans of agreements that want it. The desired number of a plan grows with it (W-33). */
export async function onScale(job: JobRun) {
  const { runtime, dryRun } = job;
  const { db, clock } = runtime;
  const done = { plans: 0, added: 0, misconfigured: 0 };
  const { failed } = await eachPlan<AgreementRow>(job, store.scalingAgreements, async (agreement) => {
    const now = clock();
    const plan = growing(await plansOfAgreements(db, [agreement.uuid]), now);
    const wanted = plan ? licensesToAdd(agreement, plan) : 0;
    if (wanted === null) {
      done.misconfigured += 1;
      runtime.log.warn({ agreement: agreement.uuid }, 'an agreement does not say how its plan grows');
    }
    if (!plan || wanted === null || wanted === 0) return;
    const added = dryRun
      ? wanted
      : await transaction(db, async (trx) => {
          const held = await holdPlan(trx, plan.uuid);
          const missing = held ? (licensesToAdd(agreement, held) ?? 0) : 0;
          if (!held || missing === 0) return 0;
          const desiredNumLicenses = licenseCount(held) + missing;
          await provisionWithin(trx, await changePlan(trx, held, { desiredNumLicenses }, now, 'scaled'), now);
          return missing;
        });
    if (added === 0) return;
    done.plans += 1;
    done.added += added;
  });
  return { ...done, failed };
}
