export { withMicroseconds } from '@enterprise-access/db';

import { Instant, timeText, withMicroseconds } from '@enterprise-access/db';

const INSTANT = /^\d{4}-\d{2}-\d{2}[T ](\d{2}):\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/;

/** The time that a text names; null if there is none. A text without a zone is UTC, wherever the server stands. */
export function instantOf(text: string): Date | null {
  const match = INSTANT.exec(text);
  // Date would take 24:00 for the next day.
  if (!match || match[1] === '24') return null;
  const iso = text.replace(' ', 'T');
  const date = new Date(match[4] === undefined ? `${iso}Z` : iso);
  if (Number.isNaN(date.getTime())) return null;
  // And February 30 for March 2.
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month - 1, day);
  return midnight.getUTCDate() === day ? withMicroseconds(date, text) : null;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** The time that a caller names; a date alone is its first instant. */
export const givenInstant = (text: string): Date | null => instantOf(DATE.test(text) ? `${text}T00:00:00Z` : text);

/** The time that another service names, which callers read in the same words. */
export function wordedInstant(text: string): Date | null {
  const date = instantOf(text);
  if (!date || timeText(date) === text) return date;
  return new Instant(date, date instanceof Instant ? date.exact : date.toISOString(), text);
}
