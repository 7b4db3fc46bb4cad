import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { cacheAsked } from '../telemetry.ts';
import { type Cache, type CacheKind, jittered, type Kept, keyOf, processTier } from './cache.ts';
import { leaseWatch, quietly, takeLease } from './lease.ts';
import type { SharedStore } from './memcached.ts';

export interface SharedCacheOptions {
  readonly store: SharedStore;
  /** Part of every key: another stamp begins with nothing. */
  readonly stamp?: string;
  /** No load takes longer than this, in milliseconds. */
  readonly longestLoadMs?: number;
  readonly maximumEntries?: number;
}

/** A shared value is used in a process for at most so long before it is looked at again, in milliseconds. */
const LOCAL_MS = 60_000;
/** So long a caller waits for the call of another process before it makes its own, in milliseconds. */
const LONGEST_WAIT_MS = 5_000;
const FIRST_LOOK_MS = 10;
const LONGEST_LOOK_MS = 100;
const FORGOTTEN = 'forgotten';
const MAXIMUM_OWED = 10_000;

const envelope = z.object({ version: z.number(), until: z.number(), value: z.unknown() });

/** What a look into the shared tier shows; `unshared` stands for no answer. */
type Look<T> = Kept<T> | 'nothing' | 'forgotten' | 'unshared';

/** A value of one kind under the key that all processes know it by. */
interface Entry<T> {
  readonly kind: CacheKind<T>;
  readonly shape: z.ZodType<T>;
  readonly key: string;
}

/**
 * Two tiers: this process, and behind it what all processes share. A value is loaded by one process at a time, which
 * holds a lease; the others look for the value. Whatever goes wrong with the shared tier, the value is loaded as if there
 * were none.
 */
export function sharedCache(options: SharedCacheOptions): Cache {
  const { store, stamp = '', longestLoadMs = 20_000 } = options;
  const tier = processTier(options.maximumEntries);
  const owed = new Set<string>();

  /** Hashed: ids may be longer than memcached allows, and whoever looks at its keys shall not read them. */
  const sharedKey = (key: string) => `enterprise-access:${hash('sha256', `${stamp}:${key}`, 'base64url')}`;

  async function look<T>(entry: Entry<T>): Promise<Look<T>> {
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
    if (!found) cacheAsked.publish({ outcome: 'unreadable' });
    // Values are only added where nothing stands, so what is of no use makes place.
    await quietly(store.delete(entry.key));
    return 'nothing';
  }

  /** Stores the value for others. False when it was forgotten while it was loaded: then nobody may keep it. */
  async function share<T>({ kind, shape, key }: Entry<T>, value: T, ttl: number): Promise<boolean> {
    try {
      const text = JSON.stringify({ version: kind.version, until: Date.now() + ttl, value: z.encode(shape, value) });
      return (await store.add(key, text, ttl)) || (await store.get(key)) !== FORGOTTEN;
    } catch {
      return true;
    }
  }

  async function loadAndShare<T>(entry: Entry<T>, load: () => Promise<T>): Promise<Kept<T>> {
    cacheAsked.publish({ outcome: 'miss' });
    const value = await load();
    const ttl = jittered(entry.kind.ttlMs(value));
    if (ttl <= 0 || !(await share(entry, value, ttl))) return { value, forMs: 0 };
    return { value, forMs: localMs(entry.kind, ttl) };
  }

  /** The value that another process is loading, or null when it is better to load it here. */
  async function loadedElsewhere<T>(entry: Entry<T>, leaseKey: string): Promise<Kept<T> | null> {
    const deadline = performance.now() + LONGEST_WAIT_MS;
    const isHeld = leaseWatch(store, leaseKey);
    for (let pause = FIRST_LOOK_MS; performance.now() < deadline; pause = Math.min(pause * 1.5, LONGEST_LOOK_MS)) {
      await sleep(pause * (0.5 + Math.random() / 2));
      // In this order: whoever lets go of the lease has stored the value before.
      const [held, found] = await Promise.all([isHeld(), look(entry)]);
      if (typeof found === 'object') return found;
      if (!held || found === 'unshared') return null;
    }
    return null;
  }

  async function fetch<T>(entry: Entry<T>, load: () => Promise<T>): Promise<Kept<T>> {
    const hit = await look(entry);
    if (typeof hit === 'object') {
      cacheAsked.publish({ outcome: 'shared_hit' });
      return hit;
    }
    if (hit === 'unshared') return loadAndShare(entry, load);
    const leaseKey = `${entry.key}#lease`;
    // Somebody may have finished between our look and our lease, so we look again.
    const [lease, again] = await Promise.all([takeLease(store, leaseKey), look(entry)]);
    try {
      const found =
        typeof again === 'object' ? again : lease === 'taken' ? await loadedElsewhere(entry, leaseKey) : null;
      if (found) cacheAsked.publish({ outcome: 'joined' });
      return found ?? (await loadAndShare(entry, load));
    } finally {
      if (typeof lease === 'object') lease.release();
    }
  }

  /** Until this is said others find the old value, so it is said again when somebody listens. */
  async function forgetShared(key: string): Promise<void> {
    owed.delete(key);
    try {
      // Whoever began to load before now must not store what he finds.
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
        cacheAsked.publish({ outcome: 'miss' });
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

/** The value in a stored text; null when it is none of this kind and version. */
function read<T>({ kind, shape }: Entry<T>, text: string): Kept<T> | null {
  try {
    const { version, until, value } = envelope.parse(JSON.parse(text));
    if (version !== kind.version) return null;
    return { value: shape.parse(value), forMs: localMs(kind, until - Date.now()) };
  } catch {
    return null;
  }
}
