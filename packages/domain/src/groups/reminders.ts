import type { MailKind } from '../kernel/ports/mail.ts';
import { type ReminderDay, reminderDays, reminderMails } from './mails.ts';

const DAY_MS = 86_400_000;
/** Days until an invitation expires. */
const INVITATION_DAYS = 90;

/** The date of a time in UTC, such as `2026-04-30`. */
export const dayOf = (instant: Date): string => instant.toISOString().slice(0, 10);

const instantOf = (day: string): number => Date.parse(`${day}T00:00:00Z`);

/** The date a number of days later. */
export const daysAfter = (day: string, days: number): string => dayOf(new Date(instantOf(day) + days * DAY_MS));

const isReminderDay = (days: number): days is ReminderDay => (reminderDays as readonly number[]).includes(days);

/** The reminder that is due on a date, by days since the invitation; null if none. */
export function reminderDay(invitedOn: string, today: string): ReminderDay | null {
  const elapsed = (instantOf(today) - instantOf(invitedOn)) / DAY_MS;
  return isReminderDay(elapsed) ? elapsed : null;
}

/** Unplanned days are planned up to this many days later. */
export const CATCH_UP_DAYS = 7;

/**
 * The days to plan for a group: today and unplanned days since the last planned one. A new group starts today, so
 * that a new installation sends no reminders for the past.
 */
export function daysToPlan(today: string, planned: ReadonlySet<string>): string[] {
  const window = Array.from({ length: CATCH_UP_DAYS + 1 }, (_, index) => daysAfter(today, index - CATCH_UP_DAYS));
  const last = window.findLastIndex((day) => planned.has(day));
  return last === -1 ? [today] : window.slice(last + 1);
}

const longDate = new Intl.DateTimeFormat('en-US', { year: 'numeric', month: 'long', day: '2-digit', timeZone: 'UTC' });

/** Properties of the mails. Dates have the format `April 30, 2026`. */
export const reminderProperties = (facts: {
  readonly customerName: string;
  readonly contentCount: number | null;
  readonly invitedOn: string;
  readonly expiration: Date | null;
}) => ({
  enterprise_customer: facts.customerName,
  catalog_content_count: facts.contentCount,
  invitation_end_date: longDate.format(instantOf(daysAfter(facts.invitedOn, INVITATION_DAYS))),
  subsidy_expiration_datetime: facts.expiration && longDate.format(facts.expiration),
});

export const mailOf = (day: ReminderDay): MailKind => reminderMails[day];
