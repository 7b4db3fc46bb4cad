import { z } from 'zod';
import type { Content } from '../kernel/ports/catalog.ts';
import type { Customer } from '../kernel/ports/lms.ts';
import { defineMail } from '../kernel/ports/mail.ts';
import type { AssignmentRow } from './store.ts';

const about = {
  contact_admin_link: z.string().nullable(),
  organization: z.string(),
  course_title: z.string().nullable(),
};
const course = { start_date: z.string(), course_partner: z.string(), course_card_image: z.string().nullable() };
const portal = { learner_portal_link: z.string().nullable() };
const deadlines = { enrollment_deadline: z.string().nullable(), action_required_by_timestamp: z.string() };

const invitation = z.object({ ...about, ...course, ...portal, ...deadlines });
const end = z.object(about);

export const mails = {
  notified: defineMail({
    name: 'assignments.notified',
    campaign: 'BRAZE_ASSIGNMENT_NOTIFICATION_CAMPAIGN',
    properties: invitation,
  }),
  remindedStranger: defineMail({
    name: 'assignments.reminded',
    campaign: 'BRAZE_ASSIGNMENT_REMINDER_NOTIFICATION_CAMPAIGN',
    properties: invitation,
  }),
  // Two campaigns for one mail: they share a name and thus a key, so that nobody gets both.
  remindedLearner: defineMail({
    name: 'assignments.reminded',
    campaign: 'BRAZE_ASSIGNMENT_REMINDER_POST_LOGISTRATION_NOTIFICATION_CAMPAIGN',
    properties: invitation,
  }),
  cancelled: defineMail({
    name: 'assignments.cancelled',
    campaign: 'BRAZE_ASSIGNMENT_CANCELLED_NOTIFICATION_CAMPAIGN',
    properties: end,
  }),
  expired: defineMail({
    name: 'assignments.expired',
    campaign: 'BRAZE_ASSIGNMENT_AUTOMATIC_CANCELLATION_NOTIFICATION_CAMPAIGN',
    properties: end,
  }),
  nudged: defineMail({
    name: 'assignments.nudged',
    campaign: 'BRAZE_ASSIGNMENT_NUDGE_EXEC_ED_ACCEPTED_ASSIGNMENT_CAMPAIGN',
    properties: z.object({ ...about, ...course, ...portal, days_before_course_start_date: z.int() }),
  }),
};

/** Data of the mail is not available; retry later. */
export class MailUnwritable extends Error {
  override readonly name = 'MailUnwritable';
}

const DAY_MS = 86_400_000;
/** If a self-paced course started longer ago than this, in days, its start is shown as today. */
const START_THRESHOLD_DAYS = 14;

/** `2026-06-01T12:00:00Z`, without fractions. */
export const seconds = (date: Date): string => date.toISOString().replace(/\.\d{3}Z$/, 'Z');

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** `Jan 01, 2021`, in UTC. */
export const longDate = (date: Date): string =>
  `${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2, '0')}, ${date.getUTCFullYear()}`;

/** "A", "A and B", "A, B, and C". */
export function joined(names: readonly string[]): string {
  if (names.length < 3) return names.join(' and ');
  return `${names.slice(0, -1).join(', ')}, and ${names.at(-1)}`;
}

const dayOf = (date: Date): number => Math.floor(date.getTime() / DAY_MS);

/**
 * The start date in a mail: now if the run’s dates are incomplete, or if a self-paced run has started and there is
 * still time to finish it, or it started long ago.
 */
export function startOf({ startDate, endDate, pacing, weeksToComplete }: Content['details'], now: Date): Date {
  if (!startDate || !endDate || !pacing || !weeksToComplete) return now;
  if (pacing !== 'self_paced' || startDate >= now) return startDate;
  const hasTime = dayOf(now) + weeksToComplete * 7 <= dayOf(endDate);
  const isLongAgo = startDate.getTime() < now.getTime() - START_THRESHOLD_DAYS * DAY_MS;
  return hasTime || isLongAgo ? now : startDate;
}

/** R-ADD-19. */
export function contactLink({ contactEmail, admins }: Customer): string | null {
  const addresses = contactEmail ? [contactEmail] : admins.flatMap(({ email }) => (email ? [email] : []));
  return addresses.length === 0 ? null : `mailto:${addresses.join(',')}`;
}

export const aboutOf = (row: AssignmentRow, customer: Customer) => ({
  contact_admin_link: contactLink(customer),
  organization: customer.name,
  course_title: row.contentTitle,
});

export const portalOf = (customer: Customer, portalUrl: string | null) => ({
  learner_portal_link: portalUrl && `${portalUrl}/${customer.slug}`,
});

export function courseOf({ details }: Content, now: Date) {
  if (details.partners.length === 0) throw new MailUnwritable('The course has no owner.');
  return {
    start_date: seconds(startOf(details, now)),
    course_partner: joined(details.partners.map(({ name }) => name)),
    course_card_image: details.imageUrl,
  };
}

export const deadlinesOf = ({ enrollByDate }: Content, expiration: Date) => ({
  enrollment_deadline: enrollByDate && longDate(enrollByDate),
  action_required_by_timestamp: seconds(expiration),
});
