import { channel } from 'node:diagnostics_channel';

/** Something that operators count. Whoever makes it happen does not know who counts; when nobody does it costs one look. */
export interface Happening<T> {
  tell(what: T): void;
  listen(listener: (what: T) => void): void;
}

function happening<T>(name: string): Happening<T> {
  const told = channel(`enterprise-access:${name}`);
  return {
    tell(what) {
      if (told.hasSubscribers) told.publish(what);
    },
    listen: (listener) => told.subscribe((what) => listener(what as T)),
  };
}

/** A call to another service ended; its attempts count together. */
export const upstreamCalled = happening<{
  readonly service: string;
  /** Cut off: not tried, because the service was silent too often. */
  readonly outcome: 'answered' | 'refused' | 'failed' | 'cut_off';
  readonly seconds: number;
}>('upstream-called');

/** A service was cut off after repeated silence, or is spoken to again. */
export const circuitChanged = happening<{ readonly service: string; readonly isOpen: boolean }>('circuit-changed');

/**
 * A cache was asked: this process knew, the processes together knew, somebody was fetching it already, or it had to be
 * fetched. Unreadable: what was shared could not be used, and was thrown away.
 */
export const cacheAsked = happening<{
  readonly outcome: 'hit' | 'shared_hit' | 'joined' | 'miss' | 'unreadable';
}>('cache-asked');

/** A connection to memcached was lost, or a command failed or was not tried because of that. */
export const memcachedTroubled = happening<{ readonly kind: 'lost' | 'failed' }>('memcached-troubled');

/** A request to redeem was decided, or an earlier one ended. */
export const redemptionDecided = happening<{
  /** Refused: by a check, nothing was reserved. Failed: by the ledger or the LMS, the value went back. */
  readonly outcome: 'committed' | 'refused' | 'failed' | 'pending';
  /** Machine name; null where there is none. */
  readonly reason: string | null;
}>('redemption-decided');
