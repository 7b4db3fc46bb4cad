/** Parses `Retry-After` (seconds or a date) to milliseconds; 0 if missing. */
export function waitOf(header: string | readonly string[] | undefined, nowMs: number): number {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim() ?? '';
  if (text === '') return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** Milliseconds until a Unix time in a header, which some services send; 0 if missing. */
export function waitUntil(header: string | readonly string[] | undefined, nowMs: number): number {
  const text = (typeof header === 'string' ? header : header?.[0])?.trim() ?? '';
  return /^\d+$/.test(text) ? Math.max(0, Number(text) * 1000 - nowMs) : 0;
}
