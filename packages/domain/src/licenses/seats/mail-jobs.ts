import { transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../../kernel/jobs/job.ts';
import type { Customer } from '../../kernel/ports/lms.ts';
import { type MailKind, MailRefused, type Receipt, type Recipient } from '../../kernel/ports/mail.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import type { LicenseRow } from '../store.ts';
import * as store from '../store.ts';
import { licenses } from '../tables.ts';
import type * as contracts from './job-contracts.ts';
import { aboutCustomer, languageOf, mails, reachedText } from './mails.ts';
import { licensesOfUuids } from './store.ts';

type Reminder = z.infer<typeof contracts.remindLearners.payload>;
type Mailed = z.infer<typeof contracts.remindLearners.result>;
type Outcome = z.infer<typeof contracts.welcome.result>;

async function customerOf(runtime: Runtime, uuid: string): Promise<Customer> {
  const customer = await runtime.lms.customer(uuid);
  if (!customer) throw new Error('The LMS does not know the customer.');
  return customer;
}

/** The licences of a job that still wait for their activation. */
async function pendingOf(runtime: Runtime, { subscriptionPlanUuid, licenseUuids }: Reminder): Promise<LicenseRow[]> {
  const rows = await licensesOfUuids(runtime.db, subscriptionPlanUuid, licenseUuids);
  return rows.filter(({ status }) => status === 'assigned');
}

const recipientOf = (customer: Customer, { userEmail, lmsUserId, activationKey }: LicenseRow): Recipient => ({
  email: userEmail ?? '',
  lmsUserId,
  attributes: languageOf(customer),
  properties: { license_activation_key: activationKey },
});

const none: Mailed = { sent: 0, repeated: 0, refused: 0 };

/** Sends activation links to the holders of licences. The key of the mail is plan and occasion: nobody gets it twice. */
async function sendLinks(
  { runtime, dryRun }: JobRun,
  kind: MailKind<typeof mails.assigned.properties>,
  payload: Reminder,
  rows: readonly LicenseRow[],
): Promise<Mailed> {
  if (rows.length === 0 || dryRun) return { ...none, sent: rows.length };
  const { enterpriseCustomerUuid, subscriptionPlanUuid, occasion } = payload;
  const customer = await customerOf(runtime, enterpriseCustomerUuid);
  const receipt = await sendUnlessRefused(runtime, kind, {
    enterpriseCustomerUuid,
    key: `${subscriptionPlanUuid}:${occasion}`,
    recipients: rows.map((row) => recipientOf(customer, row)),
    properties: {
      ...aboutCustomer(customer),
      TEMPLATE_GREETING: payload.greeting,
      TEMPLATE_CLOSING: payload.closing,
    },
  });
  return { ...receipt, refused: receipt.refused.length };
}

/** A mail that the service refuses for everybody has no retry. */
async function sendUnlessRefused<P extends z.ZodObject>(
  { mail }: Runtime,
  kind: MailKind<P>,
  message: Parameters<typeof mail.send<P>>[1],
): Promise<Receipt> {
  try {
    return await mail.send(kind, message);
  } catch (error) {
    if (error instanceof MailRefused) return { sent: 0, repeated: 0, refused: message.recipients };
    throw error;
  }
}

/** Links the learners, then sends the links. If linking fails for good the mail is sent all the same (W-27). */
export async function onInvite(
  job: JobRun,
  payload: z.infer<typeof contracts.invite.payload>,
): Promise<z.infer<typeof contracts.invite.result>> {
  const { runtime } = job;
  // Who holds a licence that was assigned again since then is invited by another job.
  const rows = (await pendingOf(runtime, payload)).filter(
    ({ assignedDate }) => assignedDate?.toISOString() === payload.occasion,
  );
  if (rows.length === 0) return { ...none, linked: 0 };
  const emails = rows.map(({ userEmail }) => userEmail ?? '');
  let failure: unknown = null;
  if (!job.dryRun)
    try {
      await runtime.lms.addPendingLearners(payload.enterpriseCustomerUuid, emails);
    } catch (error) {
      if (!job.isLast) throw error;
      failure = error;
    }
  const mailed = payload.notify ? await sendLinks(job, mails.assigned, payload, rows) : none;
  if (failure !== null) throw failure;
  return { ...mailed, linked: rows.length };
}

/** Reminds; the licences say when, once the mail service has accepted the mails (R-LIC-48). */
export async function onRemindLearners(job: JobRun, payload: Reminder): Promise<Mailed> {
  const rows = await pendingOf(job.runtime, payload);
  const mailed = await sendLinks(job, mails.reminded, payload, rows);
  if (job.dryRun || mailed.sent + mailed.repeated === 0) return mailed;
  const { runtime } = job;
  await transaction(runtime.db, async (trx) => {
    const plan = await store.holdPlan(trx, payload.subscriptionPlanUuid);
    if (!plan) return;
    const at = new Date(payload.occasion);
    const now = await licensesOfUuids(trx, plan.uuid, payload.licenseUuids);
    const due = now.filter(({ status, lastRemindDate }) => status === 'assigned' && (lastRemindDate ?? at) <= at);
    const fresh = due.filter(({ lastRemindDate }) => lastRemindDate?.getTime() !== at.getTime());
    await store.changeLicenses(trx, plan.uuid, fresh, { lastRemindDate: at, modified: runtime.clock() }, 'reminded');
  });
  return mailed;
}

const outcomeOf = ({ sent, repeated }: Receipt): Outcome => ({
  outcome: repeated > 0 ? 'repeated' : sent > 0 ? 'sent' : 'refused',
});

type OfLicense = z.infer<typeof contracts.welcome.payload>;

/** A mail to the holder of an activated licence. */
async function toHolder(
  job: JobRun,
  { licenseUuid, enterpriseCustomerUuid }: OfLicense,
  write: (customer: Customer) => {
    readonly kind: MailKind<typeof mails.activated.properties>;
    readonly attributes: Readonly<Record<string, unknown>>;
  },
): Promise<Outcome> {
  const { runtime } = job;
  const row = await licenses.find(runtime.db, licenseUuid);
  if (row?.status !== 'activated' || row.userEmail === null) return { outcome: 'over' };
  if (job.dryRun) return { outcome: 'sent' };
  const customer = await customerOf(runtime, enterpriseCustomerUuid);
  const { kind, attributes } = write(customer);
  const receipt = await sendUnlessRefused(runtime, kind, {
    enterpriseCustomerUuid,
    key: `${licenseUuid}:${row.activationKey}`,
    recipients: [{ email: row.userEmail, lmsUserId: row.lmsUserId, attributes }],
    properties: aboutCustomer(customer),
  });
  return outcomeOf(receipt);
}

export const onWelcome = (job: JobRun, payload: OfLicense): Promise<Outcome> =>
  toHolder(job, payload, (customer) => ({ kind: mails.activated, attributes: languageOf(customer) }));

/** The campaign depends on whether the customer's learners use the learner portal (R-LIC-56). */
export const onWelcomeApplied = (job: JobRun, payload: OfLicense): Promise<Outcome> =>
  toHolder(job, payload, (customer) => ({
    kind: customer.isWithoutLearnerPortal ? mails.appliedWithoutPortal : mails.appliedWithPortal,
    attributes: {},
  }));

export async function onEndEnrollments(
  { runtime, dryRun }: JobRun,
  { licenseUuid, enterpriseCustomerUuid }: OfLicense,
): Promise<z.infer<typeof contracts.endEnrollments.result>> {
  const row = await licenses.find(runtime.db, licenseUuid);
  if (row?.status !== 'revoked' || row.lmsUserId === null) return { outcome: 'over' };
  if (!dryRun) await runtime.lms.revokeLicensedEnrollments(enterpriseCustomerUuid, row.lmsUserId);
  return { outcome: 'ended' };
}

export async function onTellCapReached(
  { runtime, dryRun }: JobRun,
  { enterpriseCustomerUuid, subscriptionPlanUuid, applied, occasion }: z.infer<typeof contracts.tellCapReached.payload>,
): Promise<Outcome> {
  const plan = await store.findPlan(runtime.db, subscriptionPlanUuid);
  const email = runtime.settings.customerSuccessAddress;
  if (!plan || email === null) return { outcome: 'over' };
  if (dryRun) return { outcome: 'sent' };
  const customer = await customerOf(runtime, enterpriseCustomerUuid);
  const receipt = await sendUnlessRefused(runtime, mails.capReached, {
    enterpriseCustomerUuid,
    key: `${subscriptionPlanUuid}:${applied}`,
    recipients: [{ email, lmsUserId: null }],
    properties: {
      SUBSCRIPTION_TITLE: plan.title,
      NUM_REVOCATIONS_APPLIED: applied,
      ENTERPRISE_NAME: customer.name,
      REVOKED_LIMIT_REACHED_DATE: reachedText(new Date(occasion)),
    },
  });
  return outcomeOf(receipt);
}
