import { Instant, timeText, withMicroseconds } from '@enterprise-access/db';
import { z } from 'zod';

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

/** The time that another service names, which callers read in the same words. */
export function wordedInstant(text: string): Date | null {
  const date = instantOf(text);
  if (!date || timeText(date) === text) return date;
  return new Instant(date, date instanceof Instant ? date.exact : date.toISOString(), text);
}

/** What both databases hold. */
const EARLIEST = new Date('1000-01-01T00:00:00Z');
const LATEST = new Date('9999-12-31T23:59:59.999Z');

/** A time that callers give. */
export const instant = () => z.date().min(EARLIEST).max(LATEST);
