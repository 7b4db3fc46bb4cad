import { randomUUID } from 'node:crypto';
import type { SharedStore } from './memcached.ts';

/** A lease that shows no sign of life for so long is nobody's, in milliseconds. */
export const LEASE_MS = 2_000;
const BEAT_MS = 500;

/** The right to do something that one process at a time shall do. It saves work; nothing depends on it. */
export interface Lease {
  release(): void;
}

/** `unshared`: nobody can tell. The holder renews it as long as he lives, so what a dead process held is soon free. */
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
      // After a long silence of ours it may be another's by now; if not, it ends by itself.
      if (performance.now() - lastBeatAt < LEASE_MS / 2) void quietly(store.delete(key));
    },
  };
}

/** Tells whether a lease is held, look by look. One that nobody renews is dead, also when it was stored for ever. */
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

/** For what is only a courtesy to others. */
export const quietly = async (work: Promise<unknown>): Promise<void> => {
  await work.catch(() => undefined);
};
