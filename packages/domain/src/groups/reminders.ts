import type { MailKind } from '../kernel/ports/mail.ts';
import { type ReminderDay, reminderDays, reminderMails } from './mails.ts';

const DAY_MS = 86_400_000;
/** An invitation ends after so many days. */
const INVITATION_DAYS = 90;

/** `2026-04-30` of an instant, in UTC. */
export const dayOf = (instant: Date): string => instant.toISOString().slice(0, 10);

const instantOf = (day: string): number => Date.parse(`${day}T00:00:00Z`);

/** So many days later. */
export const daysAfter = (day: string, days: number): string => dayOf(new Date(instantOf(day) + days * DAY_MS));

const isReminderDay = (days: number): days is ReminderDay => (reminderDays as readonly number[]).includes(days);

/** Which reminder is due on this day, by the whole days since the invitation; null for none. */
export function reminderDay(invitedOn: string, today: string): ReminderDay | null {
  const elapsed = (instantOf(today) - instantOf(invitedOn)) / DAY_MS;
  return isReminderDay(elapsed) ? elapsed : null;
}

/** How far back a day that nobody planned is made up for. */
export const CATCH_UP_DAYS = 7;

/**
 * The days to plan for a group: today, and those since its last planned day, unless they are planned. A group that was
 * never planned starts today, so that a new installation reminds nobody of the past.
 */
export function daysToPlan(today: string, planned: ReadonlySet<string>): string[] {
  const window = Array.from({ length: CATCH_UP_DAYS + 1 }, (_, index) => daysAfter(today, index - CATCH_UP_DAYS));
  const last = window.findLastIndex((day) => planned.has(day));
  return last === -1 ? [today] : window.slice(last + 1);
}

const longDate = new Intl.DateTimeFormat('en-US', { year: 'numeric', month: 'long', day: '2-digit', timeZone: 'UTC' });

/** What the mails say. Dates read `April 30, 2026`. */
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
