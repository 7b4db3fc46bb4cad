import { EventEmitter } from 'node:events';
import type { Database } from '@enterprise-access/db';
import type { EventBus, Log, OutgoingEvent, RawMessage, ReceivedEvent, RefusedEvent, Subscription } from '../bus.ts';
import { jsonCodec, readMessage, sendable } from '../codec.ts';
import { delivery } from '../delivery.ts';
import type { EventType, EventTypes } from '../event-types.ts';
import { sourceOf, writeHeaders } from '../headers.ts';
import { appendToLog, type LogEntry, rewindLog } from './log.ts';
import { embeddedSubscription } from './subscription.ts';

export interface EmbeddedBusOptions {
  readonly db: Database;
  readonly eventTypes: EventTypes;
  /** Name of this service in the source of its events. */
  readonly service: string;
  readonly now: () => Date;
  readonly log: Log;
  /** Poll interval for messages of other processes, in milliseconds; default 100. */
  readonly pollMs?: number;
}

/**
 * The bus for installations without Kafka: a durable log in the business database. Every topic has one partition. A
 * group holds one connection of the pool while it processes a message.
 */
export function embeddedBus(options: EmbeddedBusOptions): EventBus {
  const { db, eventTypes, log, now } = options;
  const source = sourceOf(options.service);
  const arrivals = new EventEmitter().setMaxListeners(0);
  const subscriptions = new Set<Subscription>();

  const read = async (message: RawMessage): Promise<ReceivedEvent> => ({
    ...(await readMessage(eventTypes, message, { codec: jsonCodec, now: now(), source })),
    position: message.position,
  });

  const logEntry = (definition: EventType, event: OutgoingEvent): LogEntry => {
    const headers = writeHeaders(event, { source, contentType: jsonCodec.contentType });
    return {
      topic: definition.topic,
      id: event.id,
      key: event.key,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
      payload: event.data,
    };
  };

  return {
    async publish(events) {
      const entries: LogEntry[] = [];
      const refused: RefusedEvent[] = [];
      for (const event of events) {
        const checked = sendable(eventTypes, event);
        if ('reason' in checked) refused.push({ event, reason: checked.reason });
        else entries.push(logEntry(checked.definition, event));
      }
      if (entries.length > 0) {
        await appendToLog(db, entries, now());
        arrivals.emit('published');
      }
      return refused;
    },
    consume(consumption) {
      const subscription = embeddedSubscription(db, {
        ...consumption,
        deliver: delivery({ ...consumption, read, log }),
        log,
        arrivals,
        pollMs: options.pollMs ?? 100,
      });
      subscriptions.add(subscription);
      return subscription;
    },
    read,
    async rewind({ group, topics, to }) {
      for (const topic of topics) await rewindLog(db, { group, topic, to });
    },
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
    },
  };
}
