const REFUND_DAYS = 14;
const DAY_MS = 86_400_000;

/**
 * Whether leaving a course is refunded (R-LED-18): until two weeks after the later of the run's start and the
 * purchase. Not refundable without a start date.
 */
export function isRefundable(facts: {
  readonly unenrolledAt: Date;
  readonly courseRunStartDate: Date | null;
  readonly purchased: Date;
}): boolean {
  const { unenrolledAt, courseRunStartDate, purchased } = facts;
  if (courseRunStartDate === null) return false;
  const from = Math.max(courseRunStartDate.getTime(), purchased.getTime());
  return unenrolledAt.getTime() < from + REFUND_DAYS * DAY_MS;
}

/** Idempotency key of a refund. */
export const unenrolmentKey = (fulfillmentUuid: string, unenrolledAt: string): string =>
  `unenrollment-reversal-${fulfillmentUuid}-${unenrolledAt}`;
