import { transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../kernel/jobs/job.ts';
import type { Content } from '../kernel/ports/catalog.ts';
import type { Customer } from '../kernel/ports/lms.ts';
import { type MailKind, MailOff, MailRefused } from '../kernel/ports/mail.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { assignmentConfigurations as configurations } from '../policies/index.ts';
import type { ActionType } from './contract.ts';
import type * as contracts from './job-contracts.ts';
import { aboutOf, courseOf, deadlinesOf, MailUnwritable, mails, portalOf } from './mails.ts';
import { isRetired } from './rules.ts';
import type { AssignmentRow } from './store.ts';
import * as store from './store.ts';
import { transition } from './transitions.ts';
import { datedKeyOf, expirationOf } from './view.ts';

type Result = z.infer<typeof contracts.notify.result>;

interface Subject {
  readonly row: AssignmentRow;
  readonly configuration: configurations.ConfigurationRow;
}

interface Written {
  readonly kind: MailKind;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** One kind of mail about an assignment: when there is a reason for it, what it says, and what it leaves behind. */
interface Notification {
  /** Looked at again before sending: the job may have waited long. */
  readonly isDue: (row: AssignmentRow) => boolean;
  readonly write: (runtime: Runtime, subject: Subject) => Promise<Written>;
  /** With the assignment, what makes it the same mail. */
  readonly occasion: string;
  readonly actionType: ActionType;
  /** Null leaves no action of a success. */
  readonly sent: ((at: Date, row: AssignmentRow) => Partial<AssignmentRow>) | null;
  readonly failed: (at: Date) => Partial<AssignmentRow>;
}

const failed = (actionType: ActionType): Partial<AssignmentRow> => ({
  errorActionType: actionType,
  errorReason: 'email_error',
});

async function subjectOf(runtime: Runtime, uuid: string): Promise<Subject | null> {
  const row = await store.findAny(runtime.db, uuid);
  const configuration = row && (await configurations.find(runtime.db, row.assignmentConfigurationUuid));
  return row && configuration ? { row, configuration } : null;
}

/** Sends one mail and writes down how it went. A failure changes no state: only the mail has failed. */
async function run(job: JobRun, uuid: string, notification: Notification): Promise<Result> {
  const { runtime } = job;
  const subject = await subjectOf(runtime, uuid);
  if (!subject || !notification.isDue(subject.row) || isRetired(subject.row.learnerEmail)) return { outcome: 'over' };
  if (job.dryRun) return { outcome: 'sent' };
  try {
    const { kind, properties } = await notification.write(runtime, subject);
    const { learnerEmail: email, lmsUserId } = subject.row;
    const receipt = await runtime.mail.send(kind, {
      enterpriseCustomerUuid: subject.configuration.enterpriseCustomerUuid,
      key: `${uuid}:${notification.occasion}`,
      recipients: [{ email, lmsUserId }],
      properties,
    });
    const { sent } = notification;
    if (sent) await record(job, subject, notification, null, sent);
    return { outcome: receipt.repeated > 0 ? 'repeated' : 'sent' };
  } catch (error) {
    // Another attempt would end the same way.
    const isFinal = error instanceof MailRefused || error instanceof MailOff;
    if (isFinal || job.isLast) await record(job, subject, notification, error, notification.failed);
    if (error instanceof MailRefused) return { outcome: 'refused' };
    throw error;
  }
}

/** Once for every end of the job: a dead letter that is run again and succeeds writes its success beside the failure. */
async function record(
  { runtime, uuid }: JobRun,
  { configuration, row: { uuid: rowUuid } }: Subject,
  { actionType, isDue }: Notification,
  error: unknown,
  changes: (at: Date, row: AssignmentRow) => Partial<AssignmentRow>,
): Promise<void> {
  await transaction(runtime.db, async (trx) => {
    const at = runtime.clock();
    const isFirst = await store.claimJob(trx, `${uuid}:${error === null ? 'sent' : 'failed'}`, actionType, at);
    const before = await store.holdOne(trx, rowUuid);
    if (!before || !isFirst) return;
    const action =
      error === null
        ? { type: actionType }
        : { type: actionType, errorReason: 'email_error' as const, traceback: failureText(error) };
    // What has changed since is another round of the assignment: the action is written, the row is left alone.
    const still = isDue(before) ? changes(at, before) : {};
    await transition(trx, runtime, configuration, [{ before, changes: still, action }], { ...store.JOB, at });
  });
}

/** The kind of failure only: what other services say can hold personal data. */
const failureText = (error: unknown): string => {
  if (error instanceof MailUnwritable) return error.message;
  return `The mail was not sent: ${error instanceof Error ? error.name : 'unknown failure'}.`;
};

async function customerOf(runtime: Runtime, { configuration }: Subject): Promise<Customer> {
  const customer = await runtime.lms.customer(configuration.enterpriseCustomerUuid);
  if (!customer) throw new MailUnwritable('The LMS does not know the customer.');
  return customer;
}

async function contentOf(runtime: Runtime, { row, configuration }: Subject): Promise<Content> {
  const content = await runtime.catalog.content(configuration.enterpriseCustomerUuid, datedKeyOf(row));
  if (!content) throw new MailUnwritable('The catalog does not know the course.');
  return content;
}

/** What a learner is told who is to redeem an assignment. */
async function invitation(runtime: Runtime, subject: Subject) {
  const { row, configuration } = subject;
  const { subsidyUuid } = configuration;
  const [customer, content, subsidies] = await Promise.all([
    customerOf(runtime, subject),
    contentOf(runtime, subject),
    subsidyUuid === null ? null : runtime.ledger.subsidies([subsidyUuid]),
  ]);
  const subsidyExpiration = (subsidyUuid !== null && subsidies?.get(subsidyUuid)?.expirationDatetime) || null;
  const { date } = expirationOf(row, { subsidyExpiration, contents: new Map([[datedKeyOf(row), content]]) });
  return {
    ...aboutOf(row, customer),
    ...courseOf(content, runtime.clock()),
    ...portalOf(customer, runtime.settings.learnerPortalUrl),
    ...deadlinesOf(content, date),
  };
}

const ending =
  (kind: MailKind): Notification['write'] =>
  async (runtime, subject) => ({
    kind,
    properties: aboutOf(subject.row, await customerOf(runtime, subject)),
  });

type Payload = z.infer<typeof contracts.notify.payload>;
const isAt = (instant: Date | null, occasion: string): boolean => instant?.toISOString() === occasion;

export const onNotify = (job: JobRun, { assignmentUuid, occasion }: Payload) =>
  run(job, assignmentUuid, {
    occasion,
    actionType: 'notified',
    // Of the last allocation only, and only while it waits for its learner.
    isDue: (row) => row.state === 'allocated' && isAt(row.allocatedAt, occasion),
    write: async (runtime, subject) => ({ kind: mails.notified, properties: await invitation(runtime, subject) }),
    sent: (at) => ({ notifiedAt: at }),
    failed: (at) => ({ ...failed('notified'), notifyErroredAt: at }),
  });

export const onRemind = (job: JobRun, { assignmentUuid, occasion }: Payload) =>
  run(job, assignmentUuid, {
    // One reminder a day, however often it is asked for.
    occasion: occasion.slice(0, 10),
    actionType: 'reminded',
    // Another one of the same day is not sent, so nothing may say that it was.
    isDue: (row) => row.state === 'allocated' && row.remindedAt?.toISOString().slice(0, 10) !== occasion.slice(0, 10),
    write: async (runtime, subject) => ({
      kind: subject.row.lmsUserId === null ? mails.remindedStranger : mails.remindedLearner,
      properties: await invitation(runtime, subject),
    }),
    sent: (at) => ({ remindedAt: at }),
    failed: () => failed('reminded'),
  });

export const onTellCancelled = (job: JobRun, { assignmentUuid, occasion }: Payload) =>
  run(job, assignmentUuid, {
    occasion,
    actionType: 'cancelled',
    isDue: (row) => row.state === 'cancelled' && isAt(row.cancelledAt, occasion),
    write: ending(mails.cancelled),
    sent: () => ({}),
    failed: () => failed('cancelled'),
  });

export const onTellExpired = (job: JobRun, { assignmentUuid, occasion }: Payload) =>
  run(job, assignmentUuid, {
    occasion,
    actionType: 'expired',
    isDue: (row) => row.state === 'expired' && isAt(row.expiredAt, occasion),
    write: ending(mails.expired),
    // Now that the learner knows, the address has served its purpose (R-ASG-57).
    sent: (at, row) => (row.expirationReason === 'NINETY_DAYS_PASSED' ? { retireAddressFrom: at } : {}),
    failed: () => failed('expired'),
  });

export const onNudgeLearner = (
  job: JobRun,
  { assignmentUuid, startDate, days }: z.infer<typeof contracts.nudgeLearner.payload>,
) =>
  run(job, assignmentUuid, {
    occasion: `${startDate}:${days}`,
    actionType: 'reminded',
    isDue: (row) => row.state === 'accepted',
    write: async (runtime, subject) => {
      const [customer, content] = await Promise.all([customerOf(runtime, subject), contentOf(runtime, subject)]);
      return {
        kind: mails.nudged,
        properties: {
          ...aboutOf(subject.row, customer),
          ...courseOf(content, runtime.clock()),
          ...portalOf(customer, runtime.settings.learnerPortalUrl),
          days_before_course_start_date: days,
        },
      };
    },
    sent: null,
    failed: () => failed('reminded'),
  });
