import { insertIfAbsent } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../../kernel/jobs/job.ts';
import { MailRefused, type Recipient } from '../../kernel/ports/mail.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { type AgreementRow, isActiveAndCurrent, licenseCount, type PlanRow } from '../rules.ts';
import { findAgreement, findPlan } from '../store.ts';
import { type PlanNotification, planNotifications } from '../tables.ts';
import type * as contracts from './job-contracts.ts';
import { shortDate, utilizationMails } from './mails.ts';
import * as store from './store.ts';
import { eachPlan } from './sweep.ts';

const WEEK_MS = 7 * 86_400_000;

type Counts = Pick<PlanRow, 'unassignedCount' | 'assignedCount' | 'activatedCount'>;

/** The highest threshold that a plan has reached: all, or three quarters, of its licences are allocated (R-LIC-91). */
export function thresholdOf(plan: Counts): Exclude<PlanNotification, 'periodic_informational'> | null {
  const total = licenseCount(plan);
  const allocated = plan.assignedCount + plan.activatedCount;
  if (total === 0 || allocated * 4 < total * 3) return null;
  return allocated >= total ? 'no_allocations_remaining' : 'limited_allocations_remaining';
}

const addressed = (contacts: readonly { readonly email: string | null; readonly lmsUserId: number | null }[]) =>
  contacts.flatMap(({ email, lmsUserId }): Recipient[] => (email ? [{ email, lmsUserId }] : []));

async function propertiesOf({ db, settings }: Runtime, plan: PlanRow, agreement: AgreementRow) {
  const { enterpriseCustomerSlug: slug, enterpriseCustomerName: name } = agreement;
  return {
    subscription_plan_title: plan.title,
    subscription_plan_expiration_date: shortDate(plan.expirationDate),
    enterprise_customer_name: name,
    num_allocated_licenses: plan.assignedCount + plan.activatedCount,
    num_licenses: licenseCount(plan),
    admin_portal_url: settings.adminPortalUrl && slug && `${settings.adminPortalUrl}/${slug}`,
    num_auto_applied_licenses_since_turned_on: await store.countApplied(db, plan),
  };
}

/**
 * Sends the mail to every administrator of the customer, and remembers it (R-LIC-92). Each gets it once, also if the
 * process ends in between. Without administrators nobody is told, and nothing is remembered.
 */
async function tell(runtime: Runtime, plan: PlanRow, kind: PlanNotification): Promise<boolean> {
  const { db, clock, lms, mail } = runtime;
  const agreement = await findAgreement(db, plan.customerAgreementUuid);
  const recipients = addressed(await lms.administrators(plan.enterpriseCustomerUuid));
  if (!agreement || recipients.length === 0) return false;
  const { uuid: subscriptionPlanUuid, enterpriseCustomerUuid } = plan;
  try {
    const properties = await propertiesOf(runtime, plan, agreement);
    await mail.send(utilizationMails[kind], {
      enterpriseCustomerUuid,
      key: subscriptionPlanUuid,
      recipients,
      properties,
    });
  } catch (error) {
    // All addresses were rejected, and would be again.
    if (!(error instanceof MailRefused)) throw error;
  }
  const row = planNotifications.encode({ subscriptionPlanUuid, enterpriseCustomerUuid, kind, sent: clock() });
  await insertIfAbsent(db, planNotifications.table, row);
  return true;
}

/** The first mail about a plan, when licences have been applied automatically for a week (R-LIC-90). */
export async function onTellUtilization(job: JobRun) {
  const { runtime, dryRun } = job;
  const { clock, mail } = runtime;
  const now = clock();
  const isOff = !mail.canSend(utilizationMails.periodic_informational);
  const done = { told: 0, unsent: 0 };
  const { failed } = await eachPlan<PlanRow>(
    job,
    (db, after, limit) => store.plansToTellUtilizationOf(db, now, new Date(now.getTime() - WEEK_MS), after, limit),
    async (plan) => {
      if (isOff) done.unsent += 1;
      else if (dryRun || (await tell(runtime, plan, 'periodic_informational'))) done.told += 1;
    },
  );
  if (done.unsent > 0) runtime.log.warn({ count: done.unsent }, 'mails about plans have no campaign');
  return { ...done, failed };
}

/** After a licence was applied: the highest threshold counts, once, and not after a mail about a higher one. */
export async function onTellAllocation(
  { runtime, dryRun }: JobRun,
  { planUuid }: z.infer<typeof contracts.tellAllocation.payload>,
): Promise<z.infer<typeof contracts.tellAllocation.result>> {
  const plan = await findPlan(runtime.db, planUuid);
  const kind = plan && isActiveAndCurrent(plan, runtime.clock()) ? thresholdOf(plan) : null;
  if (!plan || kind === null) return { outcome: 'over' };
  const told = await store.notificationsOf(runtime.db, planUuid);
  if (told.has(kind) || told.has('no_allocations_remaining')) return { outcome: 'over' };
  if (!runtime.mail.canSend(utilizationMails[kind])) return { outcome: 'unsent' };
  if (dryRun || (await tell(runtime, plan, kind))) return { outcome: 'sent' };
  return { outcome: 'over' };
}
