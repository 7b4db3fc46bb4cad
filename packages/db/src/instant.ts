/**
 * A time that a `Date` cannot hold whole: with microseconds, or in the exact words of another service. It works as a
 * `Date` of milliseconds everywhere else.
 */
export class Instant extends Date {
  /** UTC with six digits of a second: what the database stores. */
  readonly exact: string;
  /** What callers of the REST interface read. */
  readonly text: string;

  constructor(date: Date, exact: string, text: string) {
    super(date);
    this.exact = exact;
    this.text = text;
  }
}

const digitsOf = (text: string): string => (/\.(\d+)/.exec(text)?.[1] ?? '').slice(0, 6).padEnd(6, '0');

/** The same time with the microseconds that its text has; a plain `Date` when that can hold them. */
export function withMicroseconds(date: Date, text: string): Date {
  const digits = digitsOf(text);
  if (digits.endsWith('000')) return date;
  const exact = `${date.toISOString().slice(0, -4)}${digits}Z`;
  return new Instant(date, exact, exact);
}

/** ISO 8601 in UTC as the old services write it: six digits of a second, or none when they are zero. */
export function timeText(date: Date): string {
  if (date instanceof Instant) return date.text;
  const text = date.toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : `${text.slice(0, -1)}000Z`;
}
