import { randomUUID } from 'node:crypto';
import type { SharedStore } from './memcached.ts';

/** A lease expires after this long without renewal, in milliseconds. */
export const LEASE_MS = 2_000;
const BEAT_MS = 500;

/**
 * A lease for work that one process at a time should do. It only avoids duplicate work; correctness must not depend
 * on it.
 */
export interface Lease {
  release(): void;
}

/**
 * Tries to take a lease and renews it until it is released, so the lease of a crashed process expires soon.
 * `unshared`: memcached did not answer.
 */
export async function takeLease(store: SharedStore, key: string): Promise<Lease | 'taken' | 'unshared'> {
  const holder = randomUUID();
  try {
    if (!(await store.add(key, holder, LEASE_MS))) return 'taken';
  } catch {
    return 'unshared';
  }
  let beat = 0;
  let lastBeatAt = performance.now();
  const beating = setInterval(() => {
    beat += 1;
    lastBeatAt = performance.now();
    void quietly(store.set(key, `${holder}:${beat}`, LEASE_MS));
  }, BEAT_MS).unref();
  return {
    release() {
      clearInterval(beating);
      // Delete it only if it was renewed recently; otherwise another process may hold it by now, or it expires by
      // itself.
      if (performance.now() - lastBeatAt < LEASE_MS / 2) void quietly(store.delete(key));
    },
  };
}

/**
 * Returns a function that tells whether a lease is held. A lease that is not renewed counts as free, even if it was
 * stored without expiry.
 */
export function leaseWatch(store: SharedStore, key: string): () => Promise<boolean> {
  let seen: string | null = null;
  let seenAt = performance.now();
  return async () => {
    const text = await store.get(key).catch(() => null);
    if (text === null) return false;
    if (text !== seen) {
      seen = text;
      seenAt = performance.now();
    }
    if (performance.now() - seenAt <= LEASE_MS) return true;
    await quietly(store.delete(key));
    return false;
  };
}

/** Ignores failures of best-effort work. */
export const quietly = async (work: Promise<unknown>): Promise<void> => {
  await work.catch(() => undefined);
};
