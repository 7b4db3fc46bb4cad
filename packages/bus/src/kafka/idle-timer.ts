import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

const { prototype }: { prototype: RequestQueue } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue');
const schedule = prototype.scheduleCheckPendingRequests;

/**
 * Works around a bug of the library: it sets a timer to check pending requests even if there are none, for a time in
 * the past. Each connection then wakes the process every millisecond, and Node warns of a negative timeout. Requests
 * that wait set their own timer, so the other timers are not needed.
 */
prototype.scheduleCheckPendingRequests = function scheduleWhatWaits(this: RequestQueue) {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
};
