import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  scheduleCheckPendingRequests(): void;
}

const { prototype }: { prototype: RequestQueue } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue');
const schedule = prototype.scheduleCheckPendingRequests;

/**
 * The library sets a timer to look after waiting requests even where none waits, and for an instant that is long past:
 * each connection then wakes the process every millisecond, and Node warns of a negative timeout. A request that has to
 * wait sets its own timer, so nothing is missed without the others.
 */
prototype.scheduleCheckPendingRequests = function scheduleWhatWaits(this: RequestQueue) {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
};
