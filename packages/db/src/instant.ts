/**
 * A `Date` that also keeps microseconds, or the original text of another service. Elsewhere it behaves like a `Date`
 * with milliseconds.
 */
export class Instant extends Date {
  /** UTC with microseconds, as stored in the database. */
  readonly exact: string;
  /** The text in REST replies. */
  readonly text: string;

  constructor(date: Date, exact: string, text: string) {
    super(date);
    this.exact = exact;
    this.text = text;
  }
}

const digitsOf = (text: string): string => (/\.(\d+)/.exec(text)?.[1] ?? '').slice(0, 6).padEnd(6, '0');

/** Adds the microseconds of a text to a time; a plain `Date` if there are none. */
export function withMicroseconds(date: Date, text: string): Date {
  const digits = digitsOf(text);
  if (digits.endsWith('000')) return date;
  const exact = `${date.toISOString().slice(0, -4)}${digits}Z`;
  return new Instant(date, exact, exact);
}

/** ISO 8601 in UTC in the format of the old services: six fractional digits, or none if they are zero. */
export function timeText(date: Date): string {
  if (date instanceof Instant) return date.text;
  const text = date.toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : `${text.slice(0, -1)}000Z`;
}
