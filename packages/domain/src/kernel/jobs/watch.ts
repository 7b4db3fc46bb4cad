import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../runtime.ts';

/** A value with a version that identifies its state. */
export interface Versioned<T> {
  readonly version: string;
  readonly value: T;
}

export interface Watch<T> {
  /**
   * Yields the current value of a key, then each change; null if the key does not exist. Slow followers skip
   * intermediate values.
   */
  follow(key: string, signal: AbortSignal): AsyncIterable<Versioned<T> | null>;
  /** Current number of followers. */
  readonly followers: number;
}

export interface WatchOptions<T> {
  /** Reads the current values of several keys in one statement; keys that are missing in the result do not exist. */
  readonly read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Versioned<T>>>;
  readonly log: Log;
  /** Poll interval in milliseconds. */
  readonly everyMs?: number;
}

const EVERY_MS = 250;
/** Delay of the poll that a new follower triggers, so that followers who start together share it. */
const NEWCOMER_MS = 10;
const LONGEST_PAUSE_MS = 5_000;
const KEYS_AT_ONCE = 500;

interface Follower<T> {
  readonly key: string;
  /** The version that was sent last; undefined before the first one. */
  told: string | null | undefined;
  /** The value to send next. */
  next: Versioned<T> | null | undefined;
  wake: () => void;
}

/**
 * One poller for all followers in this process. A poll runs one statement per 500 keys, one after the other; between
 * polls no connection is held. Without followers there are no polls.
 */
export function watch<T>({ read, log, everyMs = EVERY_MS }: WatchOptions<T>): Watch<T> {
  const followers = new Set<Follower<T>>();
  let isLooking = false;
  let hurry: () => void = () => undefined;

  /** Pause between two polls; a new follower, or the last one leaving, ends it early. */
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
        // Keep the followers connected; they get the change when the database can be read again.
        failures += 1;
        log.warn({ err: error, followers: followers.size }, 'progress of jobs could not be read for their followers');
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
