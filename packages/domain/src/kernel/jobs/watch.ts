import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../runtime.ts';

/** A value with a name for its state: the same name is the same state. */
export interface Versioned<T> {
  readonly version: string;
  readonly value: T;
}

export interface Watch<T> {
  /** What is known of a key now, then each change; null when it is not there. Latest wins: who is slow misses some. */
  follow(key: string, signal: AbortSignal): AsyncIterable<Versioned<T> | null>;
  /** Followers at the moment. */
  readonly followers: number;
}

export interface WatchOptions<T> {
  /** Reads the present state of some keys, in one statement; what it does not answer is not there. */
  readonly read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Versioned<T>>>;
  readonly log: Log;
  /** Pause between two looks, in milliseconds. */
  readonly everyMs?: number;
}

const EVERY_MS = 250;
/** Newcomers are answered before the next look is due, but those who come together by one look. */
const NEWCOMER_MS = 10;
const LONGEST_PAUSE_MS = 5_000;
const KEYS_AT_ONCE = 500;

interface Follower<T> {
  readonly key: string;
  /** The version that was told last; undefined before the first answer. */
  told: string | null | undefined;
  /** What is to be told next. */
  next: Versioned<T> | null | undefined;
  wake: () => void;
}

/**
 * One look for all followers of this process, however many there are and whatever they follow: a look is a statement per
 * 500 keys, one after the other, and between looks no connection is held. Without followers nobody looks.
 */
export function watch<T>({ read, log, everyMs = EVERY_MS }: WatchOptions<T>): Watch<T> {
  const followers = new Set<Follower<T>>();
  let isLooking = false;
  let hurry: () => void = () => undefined;

  /** The pause between two looks; a newcomer, or the last one who leaves, cuts it short. */
  const pause = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, everyMs);
      hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function look(): Promise<void> {
    const asked = [...followers];
    const keys = [...new Set(asked.map(({ key }) => key))];
    const found = new Map<string, Versioned<T>>();
    for (let at = 0; at < keys.length; at += KEYS_AT_ONCE) {
      for (const [key, state] of await read(keys.slice(at, at + KEYS_AT_ONCE))) found.set(key, state);
    }
    for (const follower of asked) {
      const state = found.get(follower.key) ?? null;
      if ((state?.version ?? null) === follower.told) continue;
      follower.told = state?.version ?? null;
      follower.next = state;
      follower.wake();
    }
  }

  async function keepLooking(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    let failures = 0;
    while (followers.size > 0) {
      try {
        await look();
        failures = 0;
        if ([...followers].every(({ told }) => told !== undefined)) await pause();
      } catch (error) {
        // Followers wait; their connections stay open and they see the change when it can be read again.
        failures += 1;
        log.warn({ err: error, followers: followers.size }, 'followers could not be told the news');
        await sleep(Math.min(LONGEST_PAUSE_MS, everyMs * 2 ** failures));
      }
      await sleep(NEWCOMER_MS);
    }
    isLooking = false;
  }

  async function* follow(key: string, signal: AbortSignal): AsyncGenerator<Versioned<T> | null> {
    const follower: Follower<T> = { key, told: undefined, next: undefined, wake: () => undefined };
    const wakeUp = () => follower.wake();
    signal.addEventListener('abort', wakeUp);
    followers.add(follower);
    hurry();
    void keepLooking();
    try {
      for (;;) {
        signal.throwIfAborted();
        const { next } = follower;
        follower.next = undefined;
        if (next !== undefined) yield next;
        else
          await new Promise<void>((resolve) => {
            follower.wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', wakeUp);
      followers.delete(follower);
      hurry();
    }
  }

  return {
    follow,
    get followers() {
      return followers.size;
    },
  };
}
