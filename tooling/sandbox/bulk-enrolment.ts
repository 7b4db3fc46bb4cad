import { z } from 'zod';
import type { EnrolmentOutcome, EnrolmentRequest } from './enrol.ts';
import { enrol } from './enrol.ts';
import type { LmsStore } from './lms-store.ts';

const exactlyOne = (left: unknown, right: unknown) => (left === undefined) !== (right === undefined);

const itemFields = {
  user_id: z.int().optional(),
  email: z.string().optional(),
  course_run_key: z.string().min(1),
  transaction_id: z.uuid().optional(),
  license_uuid: z.uuid().optional(),
};
const item = z
  .object(itemFields)
  .refine((i) => exactlyOne(i.user_id, i.email), 'Exactly one of user_id and email must be present.')
  .refine((i) => exactlyOne(i.transaction_id, i.license_uuid), 'Exactly one of transaction_id and license_uuid.');

/** LMS-17's body; the licence manager sends its items under the older name. */
export const bulkEnrolmentBody = z
  .object({ enrollments_info: z.array(item).optional(), licenses_info: z.array(item).optional() })
  .refine((body) => body.enrollments_info || body.licenses_info, 'Must include the `enrollments_info` parameter.');

const requestOf = (wanted: z.output<typeof item>): EnrolmentRequest => ({
  userId: wanted.user_id,
  email: wanted.email,
  runKey: wanted.course_run_key,
  transactionId: wanted.transaction_id,
  licenseUuid: wanted.license_uuid,
});

/** Enrols all and reports 201 (done), 202 (some wait for an account) or 409 (some failed). */
export function enrolInBulk(lms: LmsStore, body: z.output<typeof bulkEnrolmentBody>) {
  const successes: object[] = [];
  const pending: object[] = [];
  const failures: object[] = [];
  const invalidEmails: string[] = [];
  const invalidUsers: number[] = [];

  const sort = (outcome: EnrolmentOutcome, runKey: string) => {
    switch (outcome.kind) {
      case 'success':
        successes.push({
          user_id: outcome.account.lmsUserId,
          email: outcome.account.email,
          course_run_key: runKey,
          created: outcome.created,
          activation_link: null,
          enterprise_fulfillment_source_uuid: outcome.enrolment.fulfilmentUuid,
        });
        break;
      case 'pending':
        pending.push({ user_id: null, email: outcome.email, course_run_key: runKey, activation_link: null });
        break;
      case 'failure':
        failures.push({ user_id: outcome.account?.lmsUserId ?? null, email: outcome.email, course_run_key: runKey });
        break;
      case 'invalid_email':
        invalidEmails.push(outcome.email);
        break;
      case 'invalid_user':
        invalidUsers.push(outcome.userId);
        break;
    }
  };
  for (const wanted of body.enrollments_info ?? body.licenses_info ?? []) {
    sort(enrol(lms, requestOf(wanted)), wanted.course_run_key);
  }

  const failed = failures.length + invalidEmails.length + invalidUsers.length > 0;
  return {
    status: failed ? 409 : pending.length > 0 ? 202 : 201,
    body: { successes, pending, failures, invalid_email_addresses: invalidEmails, invalid_user_ids: invalidUsers },
  };
}
