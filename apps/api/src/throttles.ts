import { hash } from 'node:crypto';
import type { Clock, SharedStore } from '@enterprise-access/domain';
import { LRUCache } from 'lru-cache';

/** Requests of one caller in the present window, and when that ends, in milliseconds from now. */
export interface Count {
  readonly current: number;
  readonly ttl: number;
}

/** The requests of one caller in one window, as this process knows them. */
interface Window {
  readonly sharedKey: string;
  readonly endsAt: number;
  /** Of all processes, when they were last asked. */
  known: number;
  /** Counted here and not told yet. */
  own: number;
  askedAt: number;
}

const MAXIMUM_CALLERS = 50_000;
/** Far from the limit a process counts alone for so long, in milliseconds… */
const ALONE_MS = 100;
/** …up to this part of the limit… */
const ALONE_SHARE = 0.01;
/** …and nearer to the limit than this part every request is counted by all. */
const FAR_SHARE = 0.9;

/**
 * Counts requests per caller and window, for all processes that share a store. Near the limit, and for limits so small
 * that every request matters, each request is counted there; far from it a process tells its requests in lots, so that
 * a busy caller costs a round trip per tenth of a second. While the store does not answer, each process counts alone.
 */
export function throttleCounter(shared: SharedStore | null, clock: Clock) {
  const windows = new LRUCache<string, Window>({ max: MAXIMUM_CALLERS });

  function windowOf(caller: string, windowMs: number, now: number): Window {
    const before = windows.get(caller);
    if (before && now < before.endsAt) return before;
    const endsAt = windowEnd(caller, windowMs, now);
    // Hashed: addresses of callers are nobody else's business.
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
      // A server that was restarted has forgotten what we know.
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
    // Who is over the limit stays there to the end of the window.
    if (!shared || isFar || window.known > max) return { current, ttl };
    return tell(shared, window, windowMs).then((total) => ({ current: total, ttl }));
  };
}

/** Windows follow the clock, so that all processes have the same; each caller's begin at another moment of it. */
export function windowEnd(caller: string, windowMs: number, now: number): number {
  const offset = Number.parseInt(hash('sha1', caller).slice(0, 8), 16) % windowMs;
  return now - ((now + offset) % windowMs) + windowMs;
}

export type ThrottleCounter = ReturnType<typeof throttleCounter>;
