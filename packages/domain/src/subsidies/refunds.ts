const REFUND_DAYS = 14;
const DAY_MS = 86_400_000;

/**
 * Whether a learner who leaves gets the value back (R-LED-18): until two weeks after the later of the run's start and the
 * purchase. Without a start nobody can say, so it is not given back.
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

/** The key of what an enrolment gives back when it ends. */
export const unenrolmentKey = (fulfillmentUuid: string, unenrolledAt: string): string =>
  `unenrollment-reversal-${fulfillmentUuid}-${unenrolledAt}`;
