import {
  appendToOutbox,
  type OutboxMessage,
  recordChanges,
  type Transaction,
  transaction,
} from '@enterprise-access/db';
import type { z } from 'zod';
import type { Input, Output } from '../../kernel/contract.ts';
import { foldEmail } from '../../kernel/email.ts';
import { enqueue, type JobRun, jobMessage } from '../../kernel/jobs/job.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { licenseEvent } from '../events.ts';
import { insertSeats } from '../plans/seats.ts';
import { type AgreementRow, type PlanRow, remainingRevocations } from '../rules.ts';
import type { LicenseRow } from '../store.ts';
import * as store from '../store.ts';
import { subscriptionPlans as plans } from '../tables.ts';
import * as contract from './change-contract.ts';
import { endEnrollments, revokeAllOfPlan, tellCapReached } from './job-contracts.ts';
import { noSuchPlan } from './remind.ts';
import { nextSelected, selectedBy } from './selection.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;

const REVOCABLE = ['assigned', 'activated'] as const;
/** Licences in one statement. */
const PAGE = 1_000;

/**
 * Revokes assigned and activated licences and adds a free one for each (R-LIC-30), with everything that follows. The
 * caller holds the plan, has read the licences under that lock, and has checked the cap.
 */
async function revokeWithin(
  trx: Transaction,
  { plan, agreement }: { readonly plan: PlanRow; readonly agreement: AgreementRow },
  licenses: readonly LicenseRow[],
  now: Date,
): Promise<void> {
  const { uuid: subscriptionPlanUuid, enterpriseCustomerUuid } = plan;
  const changes = licenses.map((before) => ({
    before,
    after: { ...before, status: 'revoked' as const, revokedDate: now, modified: now },
  }));
  const activated = licenses.filter(({ status }) => status === 'activated');
  const applied = plan.isRevocationCapEnabled ? activated.length : 0;
  const after = { ...plan, numRevocationsApplied: plan.numRevocationsApplied + applied };
  for (let at = 0; at < changes.length; at += PAGE)
    await store.writeLicenses(trx, plan.uuid, changes.slice(at, at + PAGE));
  await insertSeats(trx, plan, licenses.length, now);
  await store.moveCounters(
    trx,
    plan.uuid,
    { unassignedCount: licenses.length },
    applied > 0 ? { num_revocations_applied: after.numRevocationsApplied } : {},
  );
  recordChanges(trx, plans, [{ before: plan, after, note: `replaced ${licenses.length} revoked licenses` }]);
  const messages: OutboxMessage[] = changes.map(({ after: license }) =>
    licenseEvent('revoked', { agreement, plan, license }),
  );
  for (const { uuid: licenseUuid } of activated)
    messages.push(jobMessage(endEnrollments, { enterpriseCustomerUuid, licenseUuid }, enterpriseCustomerUuid));
  const remaining = remainingRevocations(after);
  if (remaining !== null && remaining <= 0) {
    const payload = {
      enterpriseCustomerUuid,
      subscriptionPlanUuid,
      applied: after.numRevocationsApplied,
      occasion: now.toISOString(),
    };
    messages.push(jobMessage(tellCapReached, payload, enterpriseCustomerUuid));
  }
  await appendToOutbox(trx, now, messages);
}

/** A licence to revoke, with the address as the caller gave it. */
interface Target {
  readonly userEmail: string;
  readonly license: LicenseRow | null;
}

const failureOf = (planUuid: string, userEmail: string): contract.FailedRevocation => ({
  error:
    `No license for email ${userEmail} exists in plan ${planUuid} with a status in ['activated', 'assigned'].` +
    ` user_email: ${userEmail}`,
  errorResponseStatus: 404,
  userEmail,
});

/** The licences that a request means. A repeated address counts once (W-22). */
async function targetsOf(
  trx: Transaction,
  plan: PlanRow,
  { userEmails, filters }: Input<typeof contract.bulkRevoke>,
): Promise<Target[]> {
  if (userEmails) {
    const byKey = new Map(userEmails.toReversed().map((email) => [foldEmail(email), email]));
    const live = await store.liveLicenses(trx, plan.uuid, [...byKey.keys()]);
    const licenses = new Map(live.map((license) => [foldEmail(license.userEmail ?? ''), license]));
    return [...byKey].toReversed().map(([key, userEmail]) => ({ userEmail, license: licenses.get(key) ?? null }));
  }
  const selected = selectedBy(filters ?? [], REVOCABLE);
  const targets: Target[] = [];
  for (let after: LicenseRow | null = null; ; ) {
    const some: LicenseRow[] = await nextSelected(trx, plan.uuid, selected, after, PAGE);
    targets.push(...some.map((license) => ({ userEmail: license.userEmail ?? '', license })));
    if (some.length < PAGE) return targets;
    after = some.at(-1) ?? null;
  }
}

/** Revokes the licences of all who have one; refused as a whole if the cap allows fewer than were named (R-LIC-38). */
export async function bulkRevoke(
  deps: Deps,
  input: Input<typeof contract.bulkRevoke>,
): Promise<Output<typeof contract.bulkRevoke>> {
  return transaction(deps.db, async (trx) => {
    const plan = await store.holdPlan(trx, input.planUuid);
    const agreement = plan && (await store.findAgreement(trx, plan.customerAgreementUuid));
    if (!plan || !agreement) throw noSuchPlan(input.planUuid);
    const targets = await targetsOf(trx, plan, input);
    const remaining = remainingRevocations(plan);
    if (remaining !== null && targets.length > remaining) throw contract.notEnoughRevocations({ remaining });
    const found = targets.flatMap(({ userEmail, license }) => (license ? [{ userEmail, license }] : []));
    const failed = targets.filter(({ license }) => license === null);
    const unsuccessfulRevocations = failed.map(({ userEmail }) => failureOf(plan.uuid, userEmail));
    if (found.length === 0 && failed.length > 0) throw contract.nothingRevoked({ unsuccessfulRevocations });
    const licenses = found.map(({ license }) => license);
    if (licenses.length > 0) await revokeWithin(trx, { plan, agreement }, licenses, deps.clock());
    return {
      successfulRevocations: found.map(({ userEmail, license }) => ({
        licenseUuid: license.uuid,
        originalStatus: license.status,
        userEmail,
      })),
      unsuccessfulRevocations,
    };
  });
}

/** Enqueues the revocation of everything; never with a cap, whatever remains of it (R-LIC-39). */
export async function revokeAll(deps: Deps, input: Input<typeof contract.revokeAll>): Promise<Record<string, never>> {
  const plan = await store.findPlan(deps.db, input.planUuid);
  if (!plan) throw noSuchPlan(input.planUuid);
  if (plan.isRevocationCapEnabled) throw contract.revocationIsCapped({});
  const { uuid: subscriptionPlanUuid, enterpriseCustomerUuid } = plan;
  await transaction(deps.db, async (trx) => {
    const now = deps.clock();
    const payload = { enterpriseCustomerUuid, subscriptionPlanUuid, until: now.toISOString() };
    await enqueue(trx, now, revokeAllOfPlan, payload);
  });
  return {};
}

type AllRevoked = z.infer<typeof revokeAllOfPlan.result>;

/** Revokes a page per transaction, so that others can use the plan meanwhile. */
export async function onRevokeAll(
  { runtime, signal, dryRun }: JobRun,
  { subscriptionPlanUuid, until }: z.infer<typeof revokeAllOfPlan.payload>,
): Promise<AllRevoked> {
  const last = new Date(until);
  let revoked = 0;
  if (dryRun) {
    const plan = await store.findPlan(runtime.db, subscriptionPlanUuid);
    return { revoked: plan ? plan.assignedCount + plan.activatedCount : 0, isCapped: false };
  }
  for (let after: LicenseRow | null = null; ; ) {
    signal.throwIfAborted();
    const page: { readonly seen: LicenseRow[]; readonly revoked: number; readonly isCapped: boolean } =
      await transaction(runtime.db, async (trx) => {
        const plan = await store.holdPlan(trx, subscriptionPlanUuid);
        const agreement = plan && (await store.findAgreement(trx, plan.customerAgreementUuid));
        if (!plan || !agreement) return { seen: [], revoked: 0, isCapped: false };
        if (plan.isRevocationCapEnabled) return { seen: [], revoked: 0, isCapped: true };
        const seen = await nextSelected(trx, plan.uuid, selectedBy([], REVOCABLE), after, PAGE);
        const due = seen.filter(({ assignedDate }) => assignedDate === null || assignedDate <= last);
        if (due.length > 0) await revokeWithin(trx, { plan, agreement }, due, runtime.clock());
        return { seen, revoked: due.length, isCapped: false };
      });
    revoked += page.revoked;
    if (page.seen.length < PAGE) return { revoked, isCapped: page.isCapped };
    after = page.seen.at(-1) ?? null;
  }
}
