import { z } from 'zod';
import { consumerOf, UnusableEvent } from '../kernel/consumer.ts';
import { platformEvent } from '../kernel/event.ts';
import { instantOf } from '../kernel/instant.ts';
import { findTransaction } from '../ledger/index.ts';
import learnerCreditEnrollment from './learner-credit-enrollment.json' with { type: 'json' };
import { isRefundable, unenrolmentKey } from './refunds.ts';
import { reverseTransaction } from './reverse.ts';

/** The platform tells when a learner's enrolment that credit has paid for ends. */
export const revokedEvent = platformEvent(
  'org.openedx.enterprise.learner_credit_course_enrollment.revoked.v1',
  'learner-credit-course-enrollment-lifecycle',
  learnerCreditEnrollment,
);

const revoked = z.object({
  learner_credit_course_enrollment: z.object({
    uuid: z.string(),
    transaction_id: z.string().nullish(),
    enterprise_course_enrollment: z.object({ unenrolled_at: z.string().nullish() }).nullish(),
  }),
});

/**
 * Event: a learner left a course that our ledger has paid for. Reverses the transaction within the refund period.
 * Idempotent: redeliveries, and the event that our own unenrollment causes in the LMS, change nothing.
 */
export const enrollmentRevoked = consumerOf(
  revokedEvent.type,
  revoked,
  async ({ runtime, eventId, claim }, { learner_credit_course_enrollment: enrollment }) => {
    // With a remote ledger, its service consumes the same event.
    if (!runtime.ledger.isOurs || !runtime.settings.refundsUnenrolments) return;
    const { transaction_id: transactionUuid, enterprise_course_enrollment: course } = enrollment;
    const paid = transactionUuid ? await findTransaction(runtime.db, transactionUuid) : null;
    if (paid?.state !== 'committed' || paid.reversal) return;
    const text = course?.unenrolled_at;
    if (!text) throw new UnusableEvent('the end of the enrolment is missing: unenrolled_at');
    const unenrolledAt = instantOf(text);
    if (!unenrolledAt) throw new UnusableEvent('not an instant: unenrolled_at');
    const { courseRunStartDate, created: purchased } = paid;
    if (!isRefundable({ unenrolledAt, courseRunStartDate, purchased })) {
      runtime.log.info({ transaction: paid.uuid, event: eventId }, 'a learner left after the refund period');
      return;
    }
    await reverseTransaction(runtime, {
      transactionUuid: paid.uuid,
      idempotencyKey: unenrolmentKey(enrollment.uuid, text),
      metadata: null,
      claim,
    });
  },
);
