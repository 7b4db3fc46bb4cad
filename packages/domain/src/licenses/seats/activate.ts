import { appendToOutbox, transaction } from '@enterprise-access/db';
import { type Actor, isPermitted, missing } from '../../kernel/actor.ts';
import type { Input } from '../../kernel/contract.ts';
import { enqueue } from '../../kernel/jobs/job.ts';
import { orUnavailable } from '../../kernel/ports/upstream.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { licenseEvent } from '../events.ts';
import { isActiveAndCurrent } from '../rules.ts';
import * as store from '../store.ts';
import { surroundingsOf } from '../view.ts';
import type { LearnerLicense } from '../view-contract.ts';
import { callerOf } from './caller.ts';
import { welcome } from './job-contracts.ts';
import { heldOf, learnerLicenseOf } from './learner.ts';
import * as contract from './learner-contract.ts';
import { licenseNotFound } from './service.ts';
import { licensesOfHolder, plansOf } from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock' | 'settings' | 'lms'>;

/** The caller's address, and account: the token's, or else that which the LMS knows for the address (R-LIC-53). */
async function activatorOf({ db, lms }: Deps, actor: Actor): Promise<{ emailKey: string; lmsUserId: number }> {
  const { emailKey, lmsUserId } = await callerOf(db, actor);
  if (emailKey === null) throw contract.addressUnknown({});
  const account = lmsUserId ?? (await orUnavailable(lms.accountOf(emailKey)));
  if (account === null) throw contract.accountUnknown({});
  return { emailKey, lmsUserId: account };
}

const ofRevoked = (licenseUuid: string) =>
  contract.activationOfRevoked(
    { licenseUuid },
    { message: `Action: activation failed for license: ${licenseUuid} because: Cannot activate a revoked license.` },
  );

/** The licence with this key and the caller's address in a plan that can be used now; a revoked one comes last. */
async function licenseOfKey({ db, clock }: Deps, emailKey: string, activationKey: string) {
  const own = await licensesOfHolder(db, {}, { emailKey, lmsUserId: null });
  const rows = own.filter((row) => row.activationKey === activationKey);
  const plans = await plansOf(db, [...new Set(rows.map((row) => row.subscriptionPlanUuid))]);
  const held = heldOf(rows, new Map(plans.map((plan) => [plan.uuid, plan]))).filter(({ plan }) =>
    isActiveAndCurrent(plan, clock()),
  );
  const [found] = held.toSorted((a, b) => Number(a.row.status === 'revoked') - Number(b.row.status === 'revoked'));
  if (!found) throw licenseNotFound();
  return found;
}

/**
 * Activates the caller's licence. The key alone opens nothing: the licence must have the caller's address. Whoever has
 * activated it already gets the same answer again.
 */
export async function activate(
  deps: Deps,
  actor: Actor,
  { activationKey }: Input<typeof contract.activate>,
): Promise<LearnerLicense> {
  const { emailKey, lmsUserId } = await activatorOf(deps, actor);
  const found = await licenseOfKey(deps, emailKey, activationKey);
  if (!isPermitted(actor, contract.activate.permission, found.plan.enterpriseCustomerUuid))
    throw missing(contract.activate.permission, 'Missing');
  if (found.row.status === 'revoked') throw ofRevoked(found.row.uuid);
  const { license, plan, agreement } = await transaction(deps.db, async (trx) => {
    const held = await store.holdPlan(trx, found.plan.uuid);
    const ofPlan = held && (await store.findAgreement(trx, held.customerAgreementUuid));
    const row = held && (await store.findLicense(trx, held.uuid, found.row.uuid));
    if (!held || !ofPlan || !row || row.activationKey !== activationKey) throw licenseNotFound();
    if (row.status === 'revoked') throw ofRevoked(row.uuid);
    if (row.status !== 'assigned') return { license: row, plan: held, agreement: ofPlan };
    const now = deps.clock();
    const change = { status: 'activated' as const, activationDate: now, lmsUserId, modified: now };
    const [after = row] = await store.changeLicenses(trx, held.uuid, [row], change);
    await appendToOutbox(trx, now, [licenseEvent('activated', { agreement: ofPlan, plan: held, license: after })]);
    const { enterpriseCustomerUuid } = held;
    if (!ofPlan.disableOnboardingNotifications)
      await enqueue(trx, now, welcome, { enterpriseCustomerUuid, licenseUuid: after.uuid });
    return { license: after, plan: held, agreement: ofPlan };
  });
  return learnerLicenseOf(license, plan, agreement, await surroundingsOf(deps, [agreement.uuid]));
}
