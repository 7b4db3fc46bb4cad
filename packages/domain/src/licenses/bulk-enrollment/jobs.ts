import { transaction } from '@enterprise-access/db';
import type { z } from 'zod';
import { implementJob, type JobRun } from '../../kernel/jobs/job.ts';
import { MailOff, MailRefused } from '../../kernel/ports/mail.ts';
import { onEnrollInBulk } from './enroll-job.ts';
import * as contracts from './job-contracts.ts';
import { bulkResultMail } from './mails.ts';
import * as store from './store.ts';

const DAY_MS = 86_400_000;
const BULKS_AT_ONCE = 100;

/** Mails the requester, if the requester is an administrator of the customer with an address. */
async function onMailBulkResult(
  { runtime: { db, lms, mail }, dryRun }: JobRun,
  { bulkEnrollmentUuid: uuid }: z.infer<typeof contracts.mailBulkResult.payload>,
): Promise<z.infer<typeof contracts.mailBulkResult.result>> {
  const bulk = await store.find(db, uuid);
  const customer = bulk && (await lms.customer(bulk.enterpriseCustomerUuid));
  const lmsUserId = bulk?.requestedBy ?? null;
  const admin = customer?.admins.find((each) => each.lmsUserId !== null && each.lmsUserId === lmsUserId);
  if (!bulk || !customer || !admin?.email || dryRun) return { outcome: 'over' };
  try {
    const { sent } = await mail.send(bulkResultMail, {
      enterpriseCustomerUuid: bulk.enterpriseCustomerUuid,
      key: uuid,
      recipients: [{ email: admin.email, lmsUserId }],
      properties: {
        enterprise_customer_slug: customer.slug,
        enterprise_customer_name: customer.name,
        bulk_enrollment_job_uuid: uuid,
      },
    });
    return { outcome: sent > 0 ? 'sent' : 'repeated' };
  } catch (error) {
    if (error instanceof MailRefused) return { outcome: 'refused' };
    if (error instanceof MailOff) return { outcome: 'over' };
    throw error;
  }
}

/** The file goes first: with the row the service would forget its name. */
async function onExpire(
  { runtime, signal, dryRun }: JobRun,
  { days, batch }: z.infer<typeof contracts.expireBulkEnrollments.payload>,
): Promise<z.infer<typeof contracts.expireBulkEnrollments.result>> {
  const { db, clock, files } = runtime;
  const before = new Date(clock().getTime() - days * DAY_MS);
  if (dryRun) return { bulkEnrollments: await store.countCreatedBefore(db, before) };
  for (let bulkEnrollments = 0; ; ) {
    const found = await store.createdBefore(db, before, BULKS_AT_ONCE);
    for (const bulk of found) {
      signal.throwIfAborted();
      if (bulk.resultFile !== null) await files.remove(bulk.resultFile);
      while ((await store.deletePairs(db, bulk.uuid, batch)) > 0) signal.throwIfAborted();
      await transaction(db, (trx) => store.remove(trx, bulk));
      bulkEnrollments += 1;
    }
    if (found.length < BULKS_AT_ONCE) return { bulkEnrollments };
  }
}

export const bulkEnrollmentJobs = [
  implementJob(contracts.enrollInBulk, onEnrollInBulk),
  implementJob(contracts.mailBulkResult, onMailBulkResult),
  { job: implementJob(contracts.expireBulkEnrollments, onExpire), cron: '27 4 * * *' },
];
