import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { cacheLookup } from '../telemetry.ts';

/** A kind of cached value, declared beside the call that it caches. */
export interface CacheKind<T> {
  /** Part of every key; unique among kinds. */
  readonly name: string;
  /** Increase it when the meaning of the value changes: values of another version are ignored. */
  readonly version: number;
  /**
   * Schema to encode the value for memcached and to parse it. Without it the value is cached in the process only, for
   * short times that are not worth a round trip.
   */
  readonly shape?: z.ZodType<T>;
  /** Time to live in milliseconds; zero does not cache. */
  ttlMs(value: T): number;
  /** For kinds that are invalidated: how long other processes may still use an old value, in milliseconds. */
  readonly staleMs?: number;
}

/** Caches replies of other services. Concurrent misses of one key share one call. */
export interface Cache {
  /** Returns the cached value, or calls `load`. Failures are not cached. `id` identifies the value within its kind. */
  wrap<T>(kind: CacheKind<T>, id: string, load: () => Promise<T>): Promise<T>;
  /** Invalidates a value, including loads in progress. */
  forget<T>(kind: CacheKind<T>, id: string): void;
}

export const keyOf = (kind: Pick<CacheKind<never>, 'name' | 'version'>, id: string): string =>
  `${kind.name}:${kind.version}:${id}`;

/** A value, and how long this process can use it, in milliseconds. */
export interface Kept<T> {
  readonly value: T;
  readonly forMs: number;
}

/** The in-process tier. */
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
        cacheLookup.publish({ outcome: 'hit' });
        return hit.value as T;
      }
      const flight = flights.get(key);
      if (flight) {
        cacheLookup.publish({ outcome: 'joined' });
        return flight as Promise<T>;
      }
      const loading = load()
        .then(({ value, forMs }) => {
          // Do not store the value of a load that was invalidated meanwhile.
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

/** Adds jitter of a tenth, so that values that were loaded together do not expire together. */
export const jittered = (ttlMs: number): number => Math.ceil(ttlMs * (0.9 + Math.random() * 0.1));

/** A cache in this process only, without memcached. */
export function processCache(maximumEntries?: number): Cache {
  const tier = processTier(maximumEntries);
  return {
    wrap: (kind, id, load) =>
      tier.wrap(keyOf(kind, id), async () => {
        cacheLookup.publish({ outcome: 'miss' });
        const value = await load();
        return { value, forMs: jittered(kind.ttlMs(value)) };
      }),
    forget: (kind, id) => tier.forget(keyOf(kind, id)),
  };
}
