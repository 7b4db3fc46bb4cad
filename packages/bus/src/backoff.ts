import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the time is over or the signal comes; never rejects. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

/** The wait after so many failures in a row: doubling, bounded, and spread a little so that not all come back at once. */
export const backoff = (policy: { initialMs: number; maximumMs: number }, failures: number): number =>
  Math.min(policy.maximumMs, policy.initialMs * 2 ** Math.min(failures - 1, 30)) * (0.8 + Math.random() * 0.2);

/** Resolves when the signal comes. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
