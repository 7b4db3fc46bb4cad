import { hash } from 'node:crypto';
import type { Clock, SharedStore } from '@enterprise-access/domain';
import { LRUCache } from 'lru-cache';

/** Requests of one caller in the current window, and the milliseconds until the window ends. */
export interface Count {
  readonly current: number;
  readonly ttl: number;
}

/** State of one caller's window in this process. */
interface Window {
  readonly sharedKey: string;
  readonly endsAt: number;
  /** Total of all processes when memcached was last read. */
  known: number;
  /** Counted here and not yet added to memcached. */
  own: number;
  askedAt: number;
}

const MAXIMUM_CALLERS = 50_000;
/** Far from the limit, a process counts locally for up to this time, in milliseconds… */
const ALONE_MS = 100;
/** …or up to this share of the limit… */
const ALONE_SHARE = 0.01;
/** …and above this share of the limit every request is counted in memcached. */
const FAR_SHARE = 0.9;

/**
 * Counts requests per caller and window, for all processes that share a store. Near the limit, and for small limits,
 * each request is counted in the store. Far from the limit a process adds its requests in batches, so that a busy
 * caller costs one round trip per tenth of a second. While the store does not answer, each process counts alone.
 */
export function throttleCounter(shared: SharedStore | null, clock: Clock) {
  const windows = new LRUCache<string, Window>({ max: MAXIMUM_CALLERS });

  function windowOf(caller: string, windowMs: number, now: number): Window {
    const before = windows.get(caller);
    if (before && now < before.endsAt) return before;
    const endsAt = windowEnd(caller, windowMs, now);
    // Hashed, because client IPs are personal data.
    const sharedKey = `throttle:${hash('sha256', `${caller}:${endsAt}`, 'base64url')}`;
    const window: Window = { sharedKey, endsAt, known: 0, own: 0, askedAt: Number.NEGATIVE_INFINITY };
    windows.set(caller, window);
    return window;
  }

  async function tell(store: SharedStore, window: Window, windowMs: number): Promise<number> {
    const by = window.own;
    window.own = 0;
    try {
      const total = await store.increment(window.sharedKey, by, windowMs);
      // After a restart the store has a smaller total than we know.
      window.known = Math.max(total, window.known + by);
      window.askedAt = clock().getTime();
    } catch {
      window.known += by;
    }
    return window.known + window.own;
  }

  return (caller: string, windowMs: number, max: number): Count | Promise<Count> => {
    const now = clock().getTime();
    const window = windowOf(caller, windowMs, now);
    const ttl = window.endsAt - now;
    window.own += 1;
    const current = window.known + window.own;
    const isFar = window.own < max * ALONE_SHARE && current < max * FAR_SHARE && now - window.askedAt < ALONE_MS;
    // A caller above the limit stays above it until the window ends.
    if (!shared || isFar || window.known > max) return { current, ttl };
    return tell(shared, window, windowMs).then((total) => ({ current: total, ttl }));
  };
}

/** Windows are aligned to the clock, so that all processes agree; each caller has another offset. */
export function windowEnd(caller: string, windowMs: number, now: number): number {
  const offset = Number.parseInt(hash('sha1', caller).slice(0, 8), 16) % windowMs;
  return now - ((now + offset) % windowMs) + windowMs;
}

export type ThrottleCounter = ReturnType<typeof throttleCounter>;
