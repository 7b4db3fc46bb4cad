import { LRUCache } from 'lru-cache';
import { cacheAsked } from './happenings.ts';

/**
 * Saves upstream calls; never the truth. One flight per key: simultaneous misses make one call. The shared tier plugs in
 * behind this interface.
 */
export interface Cache {
  /** The stored value, or what `load` gives, kept for `ttlMs(value)`; zero keeps nothing. A failed load is not kept. */
  wrap<T>(key: string, ttlMs: (value: T) => number, load: () => Promise<T>): Promise<T>;
  /** Forgets what the writer knows to be changed. */
  forget(key: string): void;
}

/** Expiry is spread by a tenth, so that what was loaded together does not expire together. */
const jittered = (ttlMs: number): number => Math.ceil(ttlMs * (0.9 + Math.random() * 0.1));

export function processCache(maximumEntries = 50_000): Cache {
  const stored = new LRUCache<string, { readonly value: unknown }>({ max: maximumEntries, ttlAutopurge: false });
  const flights = new Map<string, Promise<unknown>>();
  return {
    async wrap<T>(key: string, ttlMs: (value: T) => number, load: () => Promise<T>): Promise<T> {
      const hit = stored.get(key);
      const flight = hit ? undefined : flights.get(key);
      cacheAsked.tell({ outcome: hit ? 'hit' : flight ? 'joined' : 'miss' });
      if (hit) return hit.value as T;
      if (flight) return flight as Promise<T>;
      const loading = load()
        .then((value) => {
          const ttl = ttlMs(value);
          // A flight that was forgotten on its way carries an old value: nobody may find it later.
          if (ttl > 0 && flights.get(key) === loading) stored.set(key, { value }, { ttl: jittered(ttl) });
          return value;
        })
        .finally(() => {
          if (flights.get(key) === loading) flights.delete(key);
        });
      flights.set(key, loading);
      return loading;
    },
    forget(key) {
      stored.delete(key);
      flights.delete(key);
    },
  };
}
