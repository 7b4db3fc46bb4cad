import { channel } from 'node:diagnostics_channel';

/** A telemetry event. Publishers do not know their subscribers; without any, publishing costs one check. */
export interface TelemetryEvent<T> {
  publish(event: T): void;
  subscribe(subscriber: (event: T) => void): void;
}

function telemetryEvent<T>(name: string): TelemetryEvent<T> {
  const events = channel(`enterprise-access:${name}`);
  return {
    publish(event) {
      if (events.hasSubscribers) events.publish(event);
    },
    subscribe: (subscriber) => events.subscribe((event) => subscriber(event as T)),
  };
}

/** A call to another service ended; its attempts count together. */
export const upstreamCalled = telemetryEvent<{
  readonly service: string;
  /** Cut off: not tried, because the circuit is open. */
  readonly outcome: 'answered' | 'refused' | 'failed' | 'cut_off';
  readonly seconds: number;
}>('upstream-called');

/** The circuit of a service opened or closed. */
export const circuitChanged = telemetryEvent<{ readonly service: string; readonly isOpen: boolean }>('circuit-changed');

/**
 * A cache lookup: found in this process (`hit`), found in memcached (`shared_hit`), another caller was loading it
 * (`joined`), or it was loaded (`miss`). `unreadable`: the entry in memcached could not be decoded and was dropped.
 */
export const cacheLookup = telemetryEvent<{
  readonly outcome: 'hit' | 'shared_hit' | 'joined' | 'miss' | 'unreadable';
}>('cache-asked');

/** A connection to memcached was lost, or a command failed or was not tried because of that. */
export const memcachedTroubled = telemetryEvent<{ readonly kind: 'lost' | 'failed' }>('memcached-troubled');

/** Stripe delivered an event: stored, delivered before, or of a kind that is not handled. Or one was handled. */
export const stripeEventSeen = telemetryEvent<{
  readonly type: string;
  readonly outcome:
    | 'stored'
    | 'repeated'
    | 'unknown'
    | 'applied'
    | 'stale'
    | 'foreign'
    | 'ignored'
    | 'refused'
    | 'failed';
}>('stripe-event-seen');

/** A request to redeem was decided, or an earlier one ended. */
export const redemptionDecided = telemetryEvent<{
  /** Refused: by a check, nothing was reserved. Failed: by the ledger or the LMS, the value went back. */
  readonly outcome: 'committed' | 'refused' | 'failed' | 'pending';
  /** Machine name; null where there is none. */
  readonly reason: string | null;
}>('redemption-decided');
