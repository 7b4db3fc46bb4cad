import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { cacheLookup } from '../telemetry.ts';
import { type Cache, type CacheKind, jittered, type Kept, keyOf, processTier } from './cache.ts';
import { leaseWatch, quietly, takeLease } from './lease.ts';
import type { SharedStore } from './memcached.ts';

export interface SharedCacheOptions {
  readonly store: SharedStore;
  /** Part of every key: changing it empties the cache. */
  readonly stamp?: string;
  /** Upper bound of the duration of a load, in milliseconds. */
  readonly longestLoadMs?: number;
  readonly maximumEntries?: number;
}

/** How long a process uses a shared value before it reads it from memcached again, in milliseconds. */
const LOCAL_MS = 60_000;
/** How long to wait for the load of another process before loading here, in milliseconds. */
const LONGEST_WAIT_MS = 5_000;
const FIRST_POLL_MS = 10;
const LONGEST_POLL_MS = 100;
const FORGOTTEN = 'forgotten';
const MAXIMUM_OWED = 10_000;

const envelope = z.object({ version: z.number(), until: z.number(), value: z.unknown() });

/** Result of a lookup in memcached; `unshared` means no answer. */
type Lookup<T> = Kept<T> | 'nothing' | 'forgotten' | 'unshared';

/** A value of one kind with its key in memcached. */
interface Entry<T> {
  readonly kind: CacheKind<T>;
  readonly shape: z.ZodType<T>;
  readonly key: string;
}

/**
 * Two tiers: this process, and memcached. One process at a time loads a value and holds a lease; the others poll for
 * the value. If memcached fails, values are loaded as if it did not exist.
 */
export function sharedCache(options: SharedCacheOptions): Cache {
  const { store, stamp = '', longestLoadMs = 20_000 } = options;
  const tier = processTier(options.maximumEntries);
  const owed = new Set<string>();

  /** Hashed, because ids can be longer than memcached allows and can contain personal data. */
  const sharedKey = (key: string) => `enterprise-access:${hash('sha256', `${stamp}:${key}`, 'base64url')}`;

  async function lookUp<T>(entry: Entry<T>): Promise<Lookup<T>> {
    let text: string | null;
    try {
      text = await store.get(entry.key);
    } catch {
      return 'unshared';
    }
    if (text === null) return 'nothing';
    if (text === FORGOTTEN) return 'forgotten';
    const found = read(entry, text);
    if (found && found.forMs > 0) return found;
    if (!found) cacheLookup.publish({ outcome: 'unreadable' });
    // `add` does not overwrite, so delete the unusable value.
    await quietly(store.delete(entry.key));
    return 'nothing';
  }

  /** Stores the value in memcached. Returns false if it was invalidated during the load; then it must not be cached. */
  async function share<T>({ kind, shape, key }: Entry<T>, value: T, ttl: number): Promise<boolean> {
    try {
      const text = JSON.stringify({ version: kind.version, until: Date.now() + ttl, value: z.encode(shape, value) });
      return (await store.add(key, text, ttl)) || (await store.get(key)) !== FORGOTTEN;
    } catch {
      return true;
    }
  }

  async function loadAndShare<T>(entry: Entry<T>, load: () => Promise<T>): Promise<Kept<T>> {
    cacheLookup.publish({ outcome: 'miss' });
    const value = await load();
    const ttl = jittered(entry.kind.ttlMs(value));
    if (ttl <= 0 || !(await share(entry, value, ttl))) return { value, forMs: 0 };
    return { value, forMs: localMs(entry.kind, ttl) };
  }

  /** Waits for the value that another process is loading; null if it should be loaded here. */
  async function loadedElsewhere<T>(entry: Entry<T>, leaseKey: string): Promise<Kept<T> | null> {
    const deadline = performance.now() + LONGEST_WAIT_MS;
    const isHeld = leaseWatch(store, leaseKey);
    for (let pause = FIRST_POLL_MS; performance.now() < deadline; pause = Math.min(pause * 1.5, LONGEST_POLL_MS)) {
      await sleep(pause * (0.5 + Math.random() / 2));
      // Commands of a server keep their order, and a loader stores the value before it releases the lease.
      const [held, found] = await Promise.all([isHeld(), lookUp(entry)]);
      if (typeof found === 'object') return found;
      if (!held || found === 'unshared') return null;
    }
    return null;
  }

  async function fetch<T>(entry: Entry<T>, load: () => Promise<T>): Promise<Kept<T>> {
    const hit = await lookUp(entry);
    if (typeof hit === 'object') {
      cacheLookup.publish({ outcome: 'shared_hit' });
      return hit;
    }
    if (hit === 'unshared') return loadAndShare(entry, load);
    const leaseKey = `${entry.key}#lease`;
    // Another process may have stored the value between our lookup and our lease, so look again.
    const [lease, again] = await Promise.all([takeLease(store, leaseKey), lookUp(entry)]);
    try {
      const found =
        typeof again === 'object' ? again : lease === 'taken' ? await loadedElsewhere(entry, leaseKey) : null;
      if (found) cacheLookup.publish({ outcome: 'joined' });
      return found ?? (await loadAndShare(entry, load));
    } finally {
      if (typeof lease === 'object') lease.release();
    }
  }

  /** Stores the invalidation marker. If memcached is down, the marker is queued until it is back. */
  async function forgetShared(key: string): Promise<void> {
    owed.delete(key);
    try {
      // The marker lives as long as a load can take, so that loads in progress do not store their value.
      await store.set(key, FORGOTTEN, longestLoadMs);
    } catch {
      if (owed.size < MAXIMUM_OWED) owed.add(key);
    }
  }
  store.onReturn(() => {
    for (const key of [...owed]) void forgetShared(key);
  });

  return {
    wrap<T>(kind: CacheKind<T>, id: string, load: () => Promise<T>) {
      const key = keyOf(kind, id);
      const { shape } = kind;
      return tier.wrap(key, async () => {
        if (shape) return fetch({ kind, shape, key: sharedKey(key) }, load);
        cacheLookup.publish({ outcome: 'miss' });
        const value = await load();
        return { value, forMs: jittered(kind.ttlMs(value)) };
      });
    },
    forget(kind, id) {
      const key = keyOf(kind, id);
      tier.forget(key);
      if (kind.shape) void forgetShared(sharedKey(key));
    },
  };
}

const localMs = <T>(kind: CacheKind<T>, remainingMs: number): number =>
  Math.min(remainingMs, jittered(kind.staleMs ?? LOCAL_MS));

/** Parses a stored text; null if it is not a value of this kind and version. */
function read<T>({ kind, shape }: Entry<T>, text: string): Kept<T> | null {
  try {
    const { version, until, value } = envelope.parse(JSON.parse(text));
    if (version !== kind.version) return null;
    return { value: shape.parse(value), forMs: localMs(kind, until - Date.now()) };
  } catch {
    return null;
  }
}
