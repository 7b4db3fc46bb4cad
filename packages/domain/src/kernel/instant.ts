export { withMicroseconds } from '@enterprise-access/db';

import { Instant, timeText, withMicroseconds } from '@enterprise-access/db';

const INSTANT = /^\d{4}-\d{2}-\d{2}[T ](\d{2}):\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/;

/** Parses a time; null if the text is not a valid time. Without a zone it is UTC. */
export function instantOf(text: string): Date | null {
  const match = INSTANT.exec(text);
  // `Date` would accept 24:00 as the next day.
  if (!match || match[1] === '24') return null;
  const iso = text.replace(' ', 'T');
  const date = new Date(match[4] === undefined ? `${iso}Z` : iso);
  if (Number.isNaN(date.getTime())) return null;
  // `Date` would accept February 30 as March 2.
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month - 1, day);
  return midnight.getUTCDate() === day ? withMicroseconds(date, text) : null;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** Parses a time from a caller; a date alone means its start. */
export const givenInstant = (text: string): Date | null => instantOf(DATE.test(text) ? `${text}T00:00:00Z` : text);

/** Parses a time from another service and keeps its original text, which is passed on to callers. */
export function wordedInstant(text: string): Date | null {
  const date = instantOf(text);
  if (!date || timeText(date) === text) return date;
  return new Instant(date, date instanceof Instant ? date.exact : date.toISOString(), text);
}
