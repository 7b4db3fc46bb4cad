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

/** A kind of mail about an assignment: when it is due, its content, and what is recorded. */
interface Notification {
  /** Checked again before sending, because the job may have waited long. */
  readonly isDue: (row: AssignmentRow) => boolean;
  readonly write: (runtime: Runtime, subject: Subject) => Promise<Written>;
  /** Occasion; with the assignment it is the key of the mail. */
  readonly occasion: string;
  readonly actionType: ActionType;
  /** Action to record on success; null records none. */
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

/** Sends one mail and records the result. A failed mail does not change the state of the assignment. */
async function sendAndRecord(job: JobRun, uuid: string, notification: Notification): Promise<Result> {
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
    // A retry would fail in the same way.
    const isFinal = error instanceof MailRefused || error instanceof MailOff;
    if (isFinal || job.isLast) await record(job, subject, notification, error, notification.failed);
    if (error instanceof MailRefused) return { outcome: 'refused' };
    throw error;
  }
}

/** Once per result of the job: a retried dead letter that succeeds records its success in addition to the failure. */
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
    // If the assignment has changed meanwhile, record the action but do not change the row.
    const still = isDue(before) ? changes(at, before) : {};
    await transition(trx, runtime, configuration, [{ before, changes: still, action }], { ...store.JOB, at });
  });
}

/** Only the kind of failure: messages of other services can contain personal data. */
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

/** Content of the mails that ask a learner to redeem an assignment. */
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
  sendAndRecord(job, assignmentUuid, {
    occasion,
    actionType: 'notified',
    // Only for the last allocation, and only while it is allocated.
    isDue: (row) => row.state === 'allocated' && isAt(row.allocatedAt, occasion),
    write: async (runtime, subject) => ({ kind: mails.notified, properties: await invitation(runtime, subject) }),
    sent: (at) => ({ notifiedAt: at }),
    failed: (at) => ({ ...failed('notified'), notifyErroredAt: at }),
  });

export const onRemind = (job: JobRun, { assignmentUuid, occasion }: Payload) =>
  sendAndRecord(job, assignmentUuid, {
    // At most one reminder a day.
    occasion: occasion.slice(0, 10),
    actionType: 'reminded',
    // A second reminder on one day is not sent, so it must not be recorded as sent.
    isDue: (row) => row.state === 'allocated' && row.remindedAt?.toISOString().slice(0, 10) !== occasion.slice(0, 10),
    write: async (runtime, subject) => ({
      kind: subject.row.lmsUserId === null ? mails.remindedStranger : mails.remindedLearner,
      properties: await invitation(runtime, subject),
    }),
    sent: (at) => ({ remindedAt: at }),
    failed: () => failed('reminded'),
  });

export const onTellCancelled = (job: JobRun, { assignmentUuid, occasion }: Payload) =>
  sendAndRecord(job, assignmentUuid, {
    occasion,
    actionType: 'cancelled',
    isDue: (row) => row.state === 'cancelled' && isAt(row.cancelledAt, occasion),
    write: ending(mails.cancelled),
    sent: () => ({}),
    failed: () => failed('cancelled'),
  });

export const onTellExpired = (job: JobRun, { assignmentUuid, occasion }: Payload) =>
  sendAndRecord(job, assignmentUuid, {
    occasion,
    actionType: 'expired',
    isDue: (row) => row.state === 'expired' && isAt(row.expiredAt, occasion),
    write: ending(mails.expired),
    // The learner is notified, so the address is no longer needed (R-ASG-57).
    sent: (at, row) => (row.expirationReason === 'NINETY_DAYS_PASSED' ? { retireAddressFrom: at } : {}),
    failed: () => failed('expired'),
  });

export const onNudgeLearner = (
  job: JobRun,
  { assignmentUuid, startDate, days }: z.infer<typeof contracts.nudgeLearner.payload>,
) =>
  sendAndRecord(job, assignmentUuid, {
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
