const FIRST_MS = 500;
const LONGEST_MS = 8_000;
/** A longer `Retry-After` is not waited for; the call fails. */
const LONGEST_WANTED_MS = 60_000;

const RETRYABLE = new Set([408, 429, 502, 503, 504]);

/** Whether a retry can succeed after this status. A 500 is a bug of the service and is not retried. */
export const isRetryableStatus = (status: number): boolean => RETRYABLE.has(status);

/** `Retry-After` in milliseconds. A date is compared with the `Date` header of the reply, not with our clock. */
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

/** Resolves after the time, or when the signal is aborted; the next step checks the signal. */
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
