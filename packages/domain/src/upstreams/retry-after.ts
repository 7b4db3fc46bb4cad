/** The wait that a `Retry-After` header asks for, in milliseconds: seconds or a date; 0 when there is none. */
export function waitOf(header: string | readonly string[] | undefined, nowMs: number): number {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim() ?? '';
  if (text === '') return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** The wait until an instant that some services give in seconds since 1970, in milliseconds; 0 when there is none. */
export function waitUntil(header: string | readonly string[] | undefined, nowMs: number): number {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim() ?? '';
  return /^\d+$/.test(text) ? Math.max(0, Number(text) * 1000 - nowMs) : 0;
}
