import { transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import { contactLink, courseOf, MailUnwritable, portalOf } from '../assignments/index.ts';
import { foldEmail } from '../kernel/email.ts';
import { implementJob, type JobRun } from '../kernel/jobs/job.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import type { Customer } from '../kernel/ports/lms.ts';
import { type MailKind, MailOff, MailRefused, type Recipient } from '../kernel/ports/mail.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { emailsOf } from '../users/index.ts';
import * as contracts from './job-contracts.ts';
import { mails } from './mails.ts';
import type { RequestRow } from './store.ts';
import * as store from './store.ts';

type Payload = z.infer<typeof contracts.tellApproved.payload>;
type Result = z.infer<typeof contracts.tellApproved.result>;

/** A mail about a request: when it is due, to whom, and what it says. */
interface Notification {
  readonly isDue: (row: RequestRow) => boolean;
  readonly kind: MailKind;
  readonly properties: (
    runtime: Runtime,
    row: RequestRow,
    customer: Customer,
  ) => Promise<Readonly<Record<string, unknown>>> | Readonly<Record<string, unknown>>;
  /** Default: the learner. */
  readonly recipients?: (row: RequestRow, customer: Customer) => readonly Recipient[];
  /** What is recorded if the mail cannot be sent (R-ADD-39). */
  readonly failed?: store.NewAction;
}

const learner = (row: RequestRow): readonly Recipient[] => [
  { email: foldEmail(row.userEmail), lmsUserId: row.lmsUserId },
];

const tell =
  (notification: Notification) =>
  async (job: JobRun, { requestUuid, occasion }: Payload): Promise<Result> => {
    const { runtime } = job;
    const row = await store.find(runtime.db, requestUuid);
    if (!row || row.userEmail === '' || !notification.isDue(row)) return { outcome: 'over' };
    const customer = await runtime.lms.customer(row.enterpriseCustomerUuid);
    if (!customer) throw new MailUnwritable('The LMS does not know the customer.');
    const recipients = (notification.recipients ?? learner)(row, customer);
    if (recipients.length === 0) return { outcome: 'over' };
    if (job.dryRun) return { outcome: 'sent' };
    try {
      const receipt = await runtime.mail.send(notification.kind, {
        enterpriseCustomerUuid: row.enterpriseCustomerUuid,
        key: `${requestUuid}:${occasion}`,
        recipients,
        properties: await notification.properties(runtime, row, customer),
      });
      return { outcome: receipt.repeated > 0 ? 'repeated' : 'sent' };
    } catch (error) {
      const isFinal = error instanceof MailRefused || error instanceof MailOff;
      const { failed } = notification;
      if (failed && (isFinal || job.isLast)) await record(job, requestUuid, failed);
      if (error instanceof MailRefused) return { outcome: 'refused' };
      throw error;
    }
  };

async function record(job: JobRun, requestUuid: string, action: store.NewAction): Promise<void> {
  await job.once(async (trx) => {
    const [before] = await store.hold(trx, [requestUuid]);
    if (before) await store.write(trx, [{ before, after: before, action }], job.runtime.clock());
  });
}

async function contentOf(runtime: Runtime, row: RequestRow): Promise<Content> {
  const content =
    row.courseId === null ? null : await runtime.catalog.content(row.enterpriseCustomerUuid, row.courseId);
  if (!content) throw new MailUnwritable('The catalog does not know the course.');
  return content;
}

const aboutOf = (row: RequestRow, customer: Customer) => ({
  contact_admin_link: contactLink(customer),
  organization: customer.name,
  course_title: row.courseTitle,
});

const dashboardOf = (runtime: Runtime, row: RequestRow, customer: Customer) => ({
  ...aboutOf(row, customer),
  enterprise_dashboard_url: portalOf(customer, runtime.settings.learnerPortalUrl).learner_portal_link,
});

const invitation: Notification['properties'] = async (runtime, row, customer) => {
  const content = await contentOf(runtime, row);
  return {
    ...aboutOf(row, customer),
    course_title: row.courseTitle ?? content.title,
    ...courseOf(content, runtime.clock()),
  };
};

const isApproved = ({ state }: RequestRow): boolean => state === 'approved';
/** Requests that the mail to administrators names. */
const NAMED = 10;

const onTellAdmins = tell({
  kind: mails.newRequests,
  isDue: ({ state }) => state === 'requested',
  recipients: (_row, { admins }) =>
    admins.flatMap(({ email, lmsUserId }) => (email ? [{ email: foldEmail(email), lmsUserId }] : [])),
  properties: async ({ db, settings }, row, customer) => {
    const { newest, count } = await store.waitingFor(db, row.policyUuid, NAMED);
    const { adminPortalUrl } = settings;
    return {
      manage_requests_url:
        adminPortalUrl && `${adminPortalUrl}/${customer.slug}/admin/learner-credit/${row.policyUuid}/requests`,
      requests: newest.map(({ userEmail, courseTitle }) => ({ user_email: userEmail, course_title: courseTitle })),
      total_requests: count,
      organization: customer.name,
    };
  },
});

const onTellCancelled = tell({
  kind: mails.cancelled,
  isDue: ({ state }) => state === 'cancelled',
  properties: dashboardOf,
  failed: {
    recentAction: 'cancelled',
    status: 'cancelled',
    errorReason: 'email_error',
    traceback: 'The mail was not sent.',
  },
});

const onTellDeclined = tell({
  kind: mails.declined,
  isDue: ({ state }) => state === 'declined',
  properties: (runtime, row, customer) => ({
    ...dashboardOf(runtime, row, customer),
    decline_reason: row.declineReason,
  }),
});

const onTellExpired = tell({
  kind: mails.expired,
  isDue: ({ state }) => state === 'expired',
  properties: (runtime, row, customer) => ({
    ...aboutOf(row, customer),
    ...portalOf(customer, runtime.settings.learnerPortalUrl),
  }),
});

async function onCompleteCourse(
  { runtime, dryRun }: JobRun,
  { requestUuid }: z.infer<typeof contracts.completeCourse.payload>,
) {
  const row = await store.find(runtime.db, requestUuid);
  if (!row || row.courseId === null || row.courseTitle !== null) return { found: false };
  const content = await runtime.catalog.content(row.enterpriseCustomerUuid, row.courseId);
  const title = content?.title?.slice(0, 255) ?? null;
  if (title !== null && !dryRun) await transaction(runtime.db, (trx) => store.setTitle(trx, requestUuid, title));
  return { found: title !== null };
}

async function onUnlink(
  { runtime, dryRun }: JobRun,
  { enterpriseCustomerUuid, requestUuids }: z.infer<typeof contracts.unlinkLearners.payload>,
) {
  const rows = await store.findAll(runtime.db, requestUuids);
  const own = rows.filter((row) => row.enterpriseCustomerUuid === enterpriseCustomerUuid && row.userEmail !== '');
  const emails = [...new Set(own.map(({ userEmail }) => userEmail))];
  if (emails.length > 0 && !dryRun)
    await runtime.lms.unlinkLearners(enterpriseCustomerUuid, emails, { isRelinkable: false });
  return { unlinked: emails.length };
}

/** The platform's own retirement reaches the users, and from there the copies of their addresses. */
async function onFollowUsers(
  { runtime, signal, dryRun }: JobRun,
  { batch }: z.infer<typeof contracts.followUsers.payload>,
) {
  let users = 0;
  for (let after = 0; ; ) {
    signal.throwIfAborted();
    const held = await store.heldAddresses(runtime.db, after, batch);
    const emails = await emailsOf(
      runtime.db,
      held.map(({ userId }) => userId),
    );
    const stale = new Set(
      held.filter(({ userId, userEmail }) => emails.get(userId) !== userEmail).map((each) => each.userId),
    );
    if (!dryRun) {
      await transaction(runtime.db, async (trx) => {
        for (const userId of stale) await store.setAddress(trx, userId, emails.get(userId) ?? '');
      });
    }
    users += stale.size;
    const last = held.at(-1);
    if (!last || held.length < batch) return { users };
    // A user whose requests hold two addresses can be at the border of two rounds; the first round set both.
    after = last.userId;
  }
}

export const requestJobs = [
  implementJob(contracts.tellAdmins, onTellAdmins),
  implementJob(contracts.tellApproved, tell({ kind: mails.approved, isDue: isApproved, properties: invitation })),
  implementJob(contracts.remindLearner, tell({ kind: mails.reminded, isDue: isApproved, properties: invitation })),
  implementJob(contracts.tellCancelled, onTellCancelled),
  implementJob(contracts.tellDeclined, onTellDeclined),
  implementJob(contracts.tellExpired, onTellExpired),
  implementJob(contracts.completeCourse, onCompleteCourse),
  implementJob(contracts.unlinkLearners, onUnlink),
  { job: implementJob(contracts.followUsers, onFollowUsers), cron: '17 4 * * *' },
];
