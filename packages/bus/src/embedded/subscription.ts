import type { EventEmitter } from 'node:events';
import type { Database } from '@enterprise-access/db';
import { backoff, pause } from '../backoff.ts';
import type { ConsumeOptions, Log, Subscription } from '../bus.ts';
import { type Deliver, textOf } from '../delivery.ts';
import { startGroup, takeFromLog, topicsWithWork } from './log.ts';

const RECONNECT = { initialMs: 200, maximumMs: 15_000 };

export interface EmbeddedSubscriptionOptions extends Pick<ConsumeOptions, 'group' | 'topics' | 'onLag'> {
  readonly deliver: Deliver;
  readonly log: Log;
  /** Emits `published` when this process publishes. */
  readonly arrivals: EventEmitter;
  /** Poll interval for messages of other processes, in milliseconds. */
  readonly pollMs: number;
}

export function embeddedSubscription(db: Database, options: EmbeddedSubscriptionOptions): Subscription {
  const { group, topics } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  /** Per topic, when to retry after a failure, in the time of `performance.now`. */
  const waitUntil = new Map<string, number>();
  /** Topics whose lag was reported as greater than zero. */
  const lagging = new Set<string>();
  let isConnected = false;
  let failures = 0;
  let arrived = new AbortController();
  const onArrival = () => arrived.abort();
  options.arrivals.on('published', onArrival);

  async function keepConsuming(): Promise<void> {
    let isKnown = false;
    while (!signal.aborted) {
      try {
        if (!isKnown) for (const topic of topics) await startGroup(db, { group, topic });
        isKnown = true;
        // Reset before polling, so that messages published during the poll trigger another one.
        arrived = new AbortController();
        const hasProgress = await takeAll(await topicsWithWork(db, group, topics));
        failures = 0;
        if (!hasProgress) await pause(nextWait(), AbortSignal.any([signal, arrived.signal]));
      } catch (error) {
        isConnected = false;
        failures += 1;
        options.log.warn({ group, failures, error: textOf(error) }, 'consumer lost the database connection');
        await pause(backoff(RECONNECT, failures), signal);
      }
    }
    isConnected = false;
    options.arrivals.off('published', onArrival);
  }

  /** Processes available messages of each topic. Returns true if there were any. */
  async function takeAll(waiting: readonly string[]): Promise<boolean> {
    isConnected = true;
    let hasProgress = false;
    // Another process of the group has processed the rest.
    for (const topic of lagging) if (!waiting.includes(topic)) tellLag(topic, 0);
    for (const topic of waiting) {
      if ((waitUntil.get(topic) ?? 0) > performance.now()) continue;
      const left = await takeFromLog(db, {
        group,
        topic,
        async handle(message) {
          if (signal.aborted) return false;
          const waitMs = await options.deliver(message);
          if (waitMs !== null) {
            waitUntil.set(topic, performance.now() + waitMs);
            return false;
          }
          waitUntil.delete(topic);
          hasProgress = true;
          return true;
        },
      });
      if (left !== null) tellLag(topic, left);
    }
    return hasProgress;
  }

  function tellLag(topic: string, messages: number): void {
    if (messages > 0) lagging.add(topic);
    else lagging.delete(topic);
    options.onLag?.({ group, topic, partition: 0, messages });
  }

  const nextWait = (): number => {
    const now = performance.now();
    // Ignore waits that are over: another process may have the topic, or may have processed the message.
    const waits = [...waitUntil.values()].map((until) => until - now).filter((ms) => ms > 0);
    return Math.min(options.pollMs, ...waits);
  };

  const running = keepConsuming();
  return {
    get isConnected() {
      return isConnected;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
