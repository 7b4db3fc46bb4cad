const FIRST_MS = 500;
const LONGEST_MS = 8_000;
/** Whoever wants to be asked later than this is asked by the caller. */
const LONGEST_WANTED_MS = 60_000;

const RETRYABLE = new Set([408, 429, 502, 503, 504]);

/** Whether the same request can succeed after this status. An error of the service itself (500) stays. */
export const isRetryableStatus = (status: number): boolean => RETRYABLE.has(status);

/** Milliseconds that a reply asks to wait. A date is measured by the clock of whoever wrote it, not by ours. */
export function retryAfterMs(headers: Headers): number | null {
  const text = headers.get('retry-after');
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const wait = Date.parse(text) - Date.parse(headers.get('date') ?? '');
  return Number.isNaN(wait) ? null : Math.max(0, wait);
}

/**
 * Milliseconds before the next attempt, or null to give up: what the service asked for, or half a second doubled each
 * time up to eight seconds, of which a random quarter is left out so that callers do not come back all at once.
 */
export function delayMs(attempt: number, wantedMs: number | null, random: () => number = Math.random): number | null {
  if (wantedMs !== null) return wantedMs <= LONGEST_WANTED_MS ? wantedMs : null;
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1)) * (1 - random() / 4);
}

/** Resolves after the time, or as soon as the signal is aborted: what comes next notices. */
export const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted) end();
  });
