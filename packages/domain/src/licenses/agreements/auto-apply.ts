import { appendToOutbox, type Connection, transaction } from '@enterprise-access/db';
import type { Actor } from '../../kernel/actor.ts';
import type { Input } from '../../kernel/contract.ts';
import { newUuid } from '../../kernel/ids.ts';
import { enqueue } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { licenseEvent, notAssigned } from '../events.ts';
import { tellAllocation } from '../lifecycle/job-contracts.ts';
import { type AgreementRow, autoApplicablePlan, isActiveAndCurrent, live, type PlanRow } from '../rules.ts';
import { callerOf } from '../seats/caller.ts';
import { welcomeApplied } from '../seats/job-contracts.ts';
import { learnerLicenseOf } from '../seats/learner.ts';
import { addressUnknown } from '../seats/learner-contract.ts';
import { licensesOfHolder } from '../seats/store.ts';
import type { LicenseRow } from '../store.ts';
import * as store from '../store.ts';
import { surroundingsOf } from '../view.ts';
import type { LearnerLicense } from '../view-contract.ts';
import * as contract from './auto-apply-contract.ts';
import { agreementNotFound } from './service.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings'>;

interface Taker {
  readonly emailKey: string;
  readonly lmsUserId: number | null;
}

/** The licence that the learner has of the plan already; refused if one was revoked (R-LIC-54, in this order). */
async function licenseInPlan(db: Connection, plan: PlanRow, taker: Taker): Promise<LicenseRow | undefined> {
  const rows = await licensesOfHolder(db, { subscription_plan_uuid: plan.uuid }, taker);
  if (rows.some(({ status }) => status === 'revoked')) throw contract.notEligible({});
  return rows.find(({ status }) => live.has(status));
}

/** Takes a free licence for the learner; undefined if there is none. */
async function take(
  deps: Deps,
  agreement: AgreementRow,
  planUuid: string,
  { emailKey, lmsUserId }: Taker,
): Promise<LicenseRow | undefined> {
  return transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const plan = await store.holdPlan(trx, planUuid);
    if (!plan?.shouldAutoApplyLicenses || !isActiveAndCurrent(plan, now)) throw contract.noPlanToApply({});
    const known = await licenseInPlan(trx, plan, { emailKey, lmsUserId });
    if (known) return known;
    const [before] = plan.unassignedCount > 0 ? await store.takeUnassigned(trx, plan.uuid, 1) : [];
    if (!before) return undefined;
    const change = {
      status: 'activated' as const,
      userEmail: emailKey,
      lmsUserId,
      activationKey: newUuid(),
      assignedDate: now,
      activationDate: now,
      lastRemindDate: now,
      autoApplied: true,
      modified: now,
    };
    const [license = before] = await store.changeLicenses(trx, plan.uuid, [before], change, 'applied automatically');
    await appendToOutbox(trx, now, [licenseEvent('activated', { agreement, plan, license })]);
    const { enterpriseCustomerUuid } = plan;
    await enqueue(trx, now, tellAllocation, { planUuid: plan.uuid, enterpriseCustomerUuid });
    if (!agreement.disableOnboardingNotifications)
      await enqueue(trx, now, welcomeApplied, { enterpriseCustomerUuid, licenseUuid: license.uuid });
    return license;
  });
}

/**
 * Gives the caller a licence of the auto-applicable plan of this agreement, whatever the query says (W-01). Who comes
 * when nothing is left is refused without a lock.
 */
export async function autoApply(
  deps: Deps,
  actor: Actor,
  { uuid }: Input<typeof contract.autoApply>,
): Promise<LearnerLicense> {
  const agreement = await store.findAgreement(deps.db, uuid);
  if (!agreement) throw agreementNotFound();
  const around = await surroundingsOf(deps, [uuid]);
  const plan = autoApplicablePlan([...around.plans.values()], around.now);
  if (!plan) throw contract.noPlanToApply({});
  const { emailKey, lmsUserId } = await callerOf(deps.db, actor);
  if (emailKey === null) throw addressUnknown({});
  const taker = { emailKey, lmsUserId };
  const known = await licenseInPlan(deps.db, plan, taker);
  const license = known ?? (plan.unassignedCount > 0 ? await take(deps, agreement, plan.uuid, taker) : undefined);
  if (!license) {
    await transaction(deps.db, (trx) => appendToOutbox(trx, deps.clock(), [notAssigned(agreement)]));
    throw contract.noLicensesLeft({});
  }
  return learnerLicenseOf(license, plan, agreement, around);
}
