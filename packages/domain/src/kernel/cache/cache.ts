import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { cacheAsked } from '../telemetry.ts';

/** One kind of value that is kept, declared beside the call that it saves. */
export interface CacheKind<T> {
  /** Part of every key; unique among kinds. */
  readonly name: string;
  /** Raised when the meaning of the value changes: what was stored under another version is never found. */
  readonly version: number;
  /**
   * Writes the value for other processes and reads what they wrote, like any other input. Without it the value stays in
   * the process: for times too short to be worth a round trip.
   */
  readonly shape?: z.ZodType<T>;
  /** How long a value may be used, in milliseconds; zero keeps nothing. */
  ttlMs(value: T): number;
  /** Where writers forget values: how long other processes may still use theirs, in milliseconds. */
  readonly staleMs?: number;
}

/** Saves upstream calls; never the truth. One flight per key: simultaneous misses make one call. */
export interface Cache {
  /** The stored value, or what `load` gives. A failed load is not kept. `id` names the value among those of its kind. */
  wrap<T>(kind: CacheKind<T>, id: string, load: () => Promise<T>): Promise<T>;
  /** Forgets what the writer knows to be changed, also what is being loaded at this moment. */
  forget<T>(kind: CacheKind<T>, id: string): void;
}

export const keyOf = (kind: Pick<CacheKind<never>, 'name' | 'version'>, id: string): string =>
  `${kind.name}:${kind.version}:${id}`;

/** A value, and for how long this process may use it without asking again, in milliseconds. */
export interface Kept<T> {
  readonly value: T;
  readonly forMs: number;
}

/** The tier that every process has for itself. */
export interface ProcessTier {
  wrap<T>(key: string, load: () => Promise<Kept<T>>): Promise<T>;
  forget(key: string): void;
}

export function processTier(maximumEntries = 50_000): ProcessTier {
  const stored = new LRUCache<string, { readonly value: unknown }>({ max: maximumEntries, ttlAutopurge: false });
  const flights = new Map<string, Promise<unknown>>();
  return {
    async wrap<T>(key: string, load: () => Promise<Kept<T>>): Promise<T> {
      const hit = stored.get(key);
      if (hit) {
        cacheAsked.publish({ outcome: 'hit' });
        return hit.value as T;
      }
      const flight = flights.get(key);
      if (flight) {
        cacheAsked.publish({ outcome: 'joined' });
        return flight as Promise<T>;
      }
      const loading = load()
        .then(({ value, forMs }) => {
          // A flight that was forgotten on its way carries an old value: nobody may find it later.
          if (forMs > 0 && flights.get(key) === loading) stored.set(key, { value }, { ttl: Math.ceil(forMs) });
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

/** Expiry is spread by a tenth, so that what was loaded together does not expire together. */
export const jittered = (ttlMs: number): number => Math.ceil(ttlMs * (0.9 + Math.random() * 0.1));

/** The cache of a process that shares nothing. */
export function processCache(maximumEntries?: number): Cache {
  const tier = processTier(maximumEntries);
  return {
    wrap: (kind, id, load) =>
      tier.wrap(keyOf(kind, id), async () => {
        cacheAsked.publish({ outcome: 'miss' });
        const value = await load();
        return { value, forMs: jittered(kind.ttlMs(value)) };
      }),
    forget: (kind, id) => tier.forget(keyOf(kind, id)),
  };
}
