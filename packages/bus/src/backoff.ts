import { setTimeout as sleep } from 'node:timers/promises';

/** Resolves after the time, or when the signal is aborted; never rejects. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

/** Exponential backoff with jitter after a number of consecutive failures. */
export const backoff = (policy: { initialMs: number; maximumMs: number }, failures: number): number =>
  Math.min(policy.maximumMs, policy.initialMs * 2 ** Math.min(failures - 1, 30)) * (0.8 + Math.random() * 0.2);

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
