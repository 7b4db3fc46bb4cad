import { transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import type { JobRun } from '../../kernel/jobs/job.ts';
import type { Customer } from '../../kernel/ports/lms.ts';
import { type MailKind, MailRefused } from '../../kernel/ports/mail.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import type { PlanRow } from '../rules.ts';
import { aboutCustomer, languageOf } from '../seats/mails.ts';
import { holdPlan, type LicenseRow } from '../store.ts';
import { daysBetween, type Window, windowAfter, windowBefore } from './expiration-rules.ts';
import type * as contracts from './job-contracts.ts';
import { expirationMails } from './mails.ts';
import * as store from './store.ts';
import { eachPlan, inPages } from './sweep.ts';

const PAGE = 1_000;

/** One of the two mails: which expirations it is about, and what it says. */
interface Occasion {
  readonly kind: MailKind;
  /** Column with the expiration of which the holder was told. */
  readonly marker: 'remindedOfExpiration' | 'toldOfExpiration';
  readonly window: Window;
  readonly daysOf: (plan: PlanRow) => Readonly<Record<string, number>>;
  /** Name of the mails in the error of a run. */
  readonly called: string;
}

type Count = Record<'sent' | 'repeated' | 'refused' | 'unsent', number>;

/** Mails that were not sent; a repeated job sends those. */
class MailsFailed extends Error {
  override readonly name = 'MailsFailed';
}

const seconds = (date: Date): string => date.toISOString().replace(/\.\d{3}Z$/, 'Z');

const propertiesOf = (plan: PlanRow, customer: Customer) => ({
  ...aboutCustomer(customer),
  expiration_date: seconds(plan.expirationDate),
  subscription_plan_title: plan.title,
});

/** Whether the holder is to get the mail: who has a licence of the next plan is not told (W-LICX-01). */
const isDue = (row: LicenseRow, { expirationDate }: PlanRow, marker: Occasion['marker']): boolean =>
  row.status === 'activated' &&
  row.userEmail !== null &&
  row.renewedToUuid === null &&
  row[marker]?.getTime() !== expirationDate.getTime();

/** Sends to some holders. The mail service never sends the mail of one plan and expiration to one person twice. */
async function send(
  { mail }: Pick<Runtime, 'mail'>,
  { kind, daysOf }: Occasion,
  plan: PlanRow,
  customer: Customer,
  rows: readonly LicenseRow[],
): Promise<Omit<Count, 'unsent'>> {
  try {
    const receipt = await mail.send(kind, {
      enterpriseCustomerUuid: plan.enterpriseCustomerUuid,
      key: `${plan.uuid}:${plan.expirationDate.toISOString()}`,
      recipients: rows.map(({ userEmail, lmsUserId }) => ({
        email: userEmail ?? '',
        lmsUserId,
        attributes: languageOf(customer),
      })),
      properties: { ...propertiesOf(plan, customer), ...daysOf(plan) },
    });
    return { sent: receipt.sent, repeated: receipt.repeated, refused: receipt.refused.length };
  } catch (error) {
    // A repetition would be refused again.
    if (error instanceof MailRefused) return { sent: 0, repeated: 0, refused: rows.length };
    throw error;
  }
}

/** Remembers of which expiration the holders were told. Licences that changed hands meanwhile are left alone. */
const mark = ({ db }: Pick<Runtime, 'db'>, plan: PlanRow, marker: Occasion['marker'], told: readonly LicenseRow[]) =>
  transaction(db, async (trx) => {
    if (await holdPlan(trx, plan.uuid)) await store.markTold(trx, plan, marker, told);
  });

async function mailAll(job: JobRun, occasion: Occasion, batch: number): Promise<Count> {
  const { runtime, signal, dryRun } = job;
  const { db, log, lms, mail } = runtime;
  const { kind, marker, window } = occasion;
  const count: Count = { sent: 0, repeated: 0, refused: 0, unsent: 0 };
  const isOff = !mail.canSend(kind);
  const failures = { mails: 0, customers: new Set<string>() };

  const sendSome = async (plan: PlanRow, customer: Customer, rows: readonly LicenseRow[]) => {
    try {
      const done = await send(runtime, occasion, plan, customer, rows);
      await mark(runtime, plan, marker, rows);
      for (const [name, n] of Object.entries(done)) count[name as keyof Count] += n;
    } catch (err) {
      signal.throwIfAborted();
      failures.mails += rows.length;
      failures.customers.add(plan.enterpriseCustomerUuid);
      log.error({ err, plan: plan.uuid }, 'mails about the expiration of a plan were not sent');
    }
  };

  const { failed } = await eachPlan<PlanRow>(
    job,
    (_db, after, limit) => store.plansToTellOf(db, window, after, limit),
    async (plan) => {
      const pages = inPages<LicenseRow>(signal, PAGE, (after, limit) =>
        store.activatedLicenses(db, plan.uuid, after, limit),
      );
      let customer: Customer | null = null;
      for await (const page of pages) {
        const due = page.filter((row) => isDue(row, plan, marker));
        if (due.length === 0) continue;
        if (isOff) count.unsent += due.length;
        else if (dryRun) count.sent += due.length;
        if (isOff || dryRun) continue;
        customer ??= await lms.customer(plan.enterpriseCustomerUuid);
        if (!customer) throw new MailsFailed('The LMS does not know the customer.');
        for (let at = 0; at < due.length; at += batch) await sendSome(plan, customer, due.slice(at, at + batch));
      }
    },
  );
  if (count.unsent > 0) log.warn({ campaign: kind.campaign, count: count.unsent }, 'mails have no campaign');
  const problems = [
    ...(failed > 0 ? [`${failed} subscription plans could not be processed`] : []),
    ...(failures.mails > 0
      ? [`${failures.mails} ${occasion.called} failed to send across ${failures.customers.size} enterprise customer(s)`]
      : []),
  ];
  if (problems.length > 0) throw new MailsFailed(problems.join('; '));
  return count;
}

/** Before the expiration of a plan, so many days at most (R-LICX-20 to R-LICX-26). */
export function onRemindOfExpiration(
  job: JobRun,
  { daysBefore, batch }: z.infer<typeof contracts.remindOfExpiration.payload>,
) {
  const now = job.runtime.clock();
  const occasion: Occasion = {
    kind: expirationMails.before,
    marker: 'remindedOfExpiration',
    window: windowBefore(now, daysBefore),
    daysOf: (plan) => ({ days_until_expiration: daysBetween(now, plan.expirationDate) }),
    called: 'license expiration reminder emails',
  };
  return mailAll(job, occasion, batch);
}

/** In the days after the expiration of a plan (R-LICX-20 to R-LICX-26). */
export function onTellOfExpiration(
  job: JobRun,
  { daysSince, batch }: z.infer<typeof contracts.tellOfExpiration.payload>,
) {
  const now = job.runtime.clock();
  const occasion: Occasion = {
    kind: expirationMails.after,
    marker: 'toldOfExpiration',
    window: windowAfter(now, daysSince),
    daysOf: (plan) => ({ days_since_expiration: daysBetween(plan.expirationDate, now) }),
    called: 'subscription plan license expiration emails',
  };
  return mailAll(job, occasion, batch);
}
