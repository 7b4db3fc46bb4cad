import {
  appendToOutbox,
  isUniqueViolation,
  recordChanges,
  storeRecorded,
  type Transaction,
  transaction,
} from '@enterprise-access/db';
import { newUuid } from '../../kernel/ids.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { licenseEvent } from '../events.ts';
import { autoApplying } from '../plans/auto-apply.ts';
import { insertSeats, recordSeats } from '../plans/seats.ts';
import { unused } from '../plans/unused.ts';
import * as provisioningStore from '../provisioning-store.ts';
import type { AgreementRow, PlanRow, RenewalRow } from '../rules.ts';
import * as plansStore from '../store.ts';
import { licenses, subscriptionPlanRenewals, subscriptionPlans } from '../tables.ts';
import type { LicenseRow } from '../view.ts';
import type { LicenseStatus } from '../view-contract.ts';
import { renewalRefused } from './contract.ts';
import { renewalNotFound } from './errors.ts';
import { autoApplyAfter, copiedStatuses, keepsApplying, refusalOf, renewedTitle } from './rules.ts';
import * as store from './store.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;

/** Licences that are copied with few statements at once. */
const BATCH = 1_000;

export interface Processing {
  /** By the scheduled job, and not by somebody who asked for it. */
  readonly isAutomatic: boolean;
  readonly signal?: AbortSignal;
}

export interface Processed {
  readonly renewal: RenewalRow;
  /** False if it was processed before. */
  readonly now: boolean;
  readonly copied: number;
}

const refused = (refusal: NonNullable<ReturnType<typeof refusalOf>>, cause?: unknown) =>
  renewalRefused({ reason: refusal.reason }, { message: refusal.message, cause });

/**
 * Processes a renewal, once (R-LIC-61 to 65). All in one transaction, in which the agreement and both plans are held:
 * callers at the same time wait, and then find it processed (W-14).
 */
export async function processRenewal({ db, clock }: Deps, id: number, options: Processing): Promise<Processed> {
  try {
    return await transaction(db, (trx) => processWithin(trx, id, options, clock()));
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    // A plan with the title was created at the same time.
    const renewal = await store.find(db, id);
    const prior = renewal && (await plansStore.findPlan(db, renewal.priorSubscriptionPlanUuid));
    if (!renewal || !prior) throw error;
    const refusal = refusalOf({ renewal, prior, renewed: null, isTitleTaken: true });
    throw refusal ? refused(refusal, error) : error;
  }
}

async function processWithin(trx: Transaction, id: number, options: Processing, now: Date): Promise<Processed> {
  const known = await store.find(trx, id);
  if (!known) throw renewalNotFound();
  const agreement = await provisioningStore.touchAgreement(trx, known.customerAgreementUuid, now);
  // Renewals of an agreement change under its lock only.
  const renewal = await store.find(trx, id);
  if (!agreement || !renewal) throw renewalNotFound();
  if (renewal.processed) return { renewal, now: false, copied: 0 };
  const { prior, renewed } = await plansOf(trx, renewal, now);
  await store.hold(trx, id);
  const copied = await copyLicenses(trx, { agreement, renewal, prior, renewed, now, ...options });
  await moveAutoApply(trx, { renewal, prior, renewed }, now);
  const after: RenewalRow = {
    ...renewal,
    renewedSubscriptionPlanUuid: renewed.uuid,
    processed: true,
    processedDatetime: now,
    modified: now,
  };
  await subscriptionPlanRenewals.change(trx, renewal, after, `copied ${copied} licenses`);
  return { renewal: after, now: true, copied };
}

/** Both plans, held in the order of their uuids; the second one is created if there is none. */
async function plansOf(
  trx: Transaction,
  renewal: RenewalRow,
  now: Date,
): Promise<{ prior: PlanRow; renewed: PlanRow }> {
  const { priorSubscriptionPlanUuid: priorUuid, renewedSubscriptionPlanUuid: renewedUuid } = renewal;
  const held = await provisioningStore.holdPlans(trx, renewedUuid === null ? [priorUuid] : [priorUuid, renewedUuid]);
  const prior = held.get(priorUuid);
  const linked = held.get(renewedUuid ?? '') ?? null;
  if (!prior || (renewedUuid !== null && linked === null)) throw renewalNotFound();
  const title = renewedTitle(renewal, prior);
  const isTitleTaken = linked === null && (await store.isTitleTaken(trx, prior.customerAgreementUuid, title));
  const refusal = refusalOf({ renewal, prior, renewed: linked, isTitleTaken });
  if (refusal) throw refused(refusal);
  if (linked) return { prior, renewed: linked };
  const renewed = successorOf(prior, renewal, now);
  await subscriptionPlans.insert(trx, renewed);
  return { prior, renewed };
}

/** The plan that follows (R-LIC-62). */
const successorOf = (prior: PlanRow, renewal: RenewalRow, now: Date): PlanRow => ({
  ...prior,
  ...unused,
  uuid: newUuid(),
  title: renewedTitle(renewal, prior),
  startDate: renewal.effectiveDate,
  expirationDate: renewal.renewedExpirationDate,
  salesforceOpportunityLineItem: renewal.salesforceOpportunityId,
  canFreezeUnusedLicenses: false,
  shouldAutoApplyLicenses: null,
  autoApplySince: null,
  desiredNumLicenses: null,
  created: now,
  modified: now,
});

interface Copying extends Processing {
  readonly agreement: AgreementRow;
  readonly renewal: RenewalRow;
  readonly prior: PlanRow;
  readonly renewed: PlanRow;
  readonly now: Date;
}

/** Copies the licences and fills the plan that follows up to the number of the renewal (R-LIC-63). */
async function copyLicenses(trx: Transaction, copying: Copying): Promise<number> {
  const { renewal, prior, renewed, now, signal } = copying;
  const copied: Record<'assigned' | 'activated', number> = { assigned: 0, activated: 0 };
  let free = renewed.unassignedCount;
  for (const status of copiedStatuses(renewal) as ('assigned' | 'activated')[]) {
    for (let after: store.OrderedLicense | null = null; ; ) {
      signal?.throwIfAborted();
      const originals: store.OrderedLicense[] = await store.licensesInOrder(trx, prior.uuid, status, after, BATCH);
      if (originals.length === 0) break;
      const taken = await copyBatch(trx, copying, originals, Math.min(free, originals.length));
      free -= taken;
      copied[status] += originals.length;
      after = originals.at(-1) ?? null;
    }
  }
  const total = copied.assigned + copied.activated;
  const added = renewal.numberOfLicenses - total - free;
  await insertSeats(trx, renewed, added, now);
  if (added > 0) recordSeats(trx, renewed, 'provisioned', added);
  await plansStore.moveCounters(trx, renewed.uuid, {
    unassignedCount: free + added - renewed.unassignedCount,
    assignedCount: copied.assigned,
    activatedCount: copied.activated,
  });
  return total;
}

/** Copies these licences to free ones of the plan that follows, as far as there are any, and to new ones. */
async function copyBatch(
  trx: Transaction,
  { agreement, prior, renewed, now, isAutomatic: isAutoRenewed }: Copying,
  originals: readonly store.OrderedLicense[],
  wanted: number,
): Promise<number> {
  const free = wanted > 0 ? await plansStore.takeUnassigned(trx, renewed.uuid, wanted) : [];
  const pairs = originals.map(({ userEmailKey: _key, ...original }, at) => {
    const before = free[at] ?? null;
    return { original, before, after: copyOf(original, before ?? emptySeat(renewed, now), renewed, now) };
  });
  await store.storeHeld(
    trx,
    pairs.map(({ after }) => after),
  );
  recordChanges(trx, licenses, pairs);
  await plansStore.writeLicenses(
    trx,
    prior.uuid,
    pairs.map(({ original, after }) => ({
      before: original,
      after: { ...original, renewedToUuid: after.uuid, modified: now },
    })),
  );
  const events = pairs.map(({ original: { uuid: previousLicenseUuid }, after: license }) =>
    licenseEvent('renewed', { agreement, plan: renewed, license, previousLicenseUuid, isAutoRenewed }),
  );
  await appendToOutbox(trx, now, events);
  await storeRecorded(trx);
  return free.length;
}

const emptySeat = ({ uuid, enterpriseCustomerUuid }: PlanRow, now: Date): LicenseRow => ({
  uuid: newUuid(),
  enterpriseCustomerUuid,
  subscriptionPlanUuid: uuid,
  status: 'unassigned',
  userEmail: null,
  lmsUserId: null,
  activationKey: null,
  assignedDate: null,
  activationDate: null,
  lastRemindDate: null,
  revokedDate: null,
  renewedToUuid: null,
  autoApplied: false,
  salesforceContactId: null,
  remindedOfExpiration: null,
  toldOfExpiration: null,
  unlinked: null,
  halfYearAnnounced: null,
  created: now,
  modified: now,
});

/** The licence of the same learner in the plan that follows, with the same key and the original assignment. */
const copyOf = (original: LicenseRow, seat: LicenseRow, { startDate }: PlanRow, now: Date): LicenseRow => ({
  ...seat,
  status: original.status,
  userEmail: original.userEmail,
  lmsUserId: original.lmsUserId,
  activationKey: original.activationKey,
  assignedDate: original.assignedDate,
  activationDate: original.status === ('activated' satisfies LicenseStatus) ? startDate : null,
  modified: now,
});

/**
 * Automatic licences follow to the next plan, or end for the whole agreement (R-LIC-64). The prior plan goes on with
 * them until the next one is current, so that there is no time without (W-31).
 */
async function moveAutoApply(
  trx: Transaction,
  { renewal, prior, renewed }: Pick<Copying, 'renewal' | 'prior' | 'renewed'>,
  now: Date,
): Promise<void> {
  const outcome = autoApplyAfter(renewal, prior);
  if (outcome === 'unchanged') return;
  const keeps = (plan: PlanRow): boolean =>
    outcome === 'follows' && (plan.uuid === renewed.uuid || (plan.uuid === prior.uuid && keepsApplying(renewed, now)));
  for (const plan of await provisioningStore.holdPlansOfAgreement(trx, renewal.customerAgreementUuid)) {
    const isOn = keeps(plan);
    if (isOn !== (plan.shouldAutoApplyLicenses === true))
      await provisioningStore.changePlan(trx, plan, autoApplying(plan, isOn, now), now);
  }
}
