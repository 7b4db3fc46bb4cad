import type { EventBus, Log, OutgoingEvent, RawMessage, ReceivedEvent, RefusedEvent, Subscription } from '../bus.ts';
import { avroCodec, encodeEvent, readMessage, sendable } from '../codec.ts';
import { delivery } from '../delivery.ts';
import type { EventTypes } from '../event-types.ts';
import { sourceOf, writeHeaders } from '../headers.ts';
import { type RegistryOptions, SchemaRejected, schemaRegistry } from '../registry.ts';
import { type KafkaConnection, kafkaClient } from './client.ts';
import { publisher, type TopicMessage } from './publisher.ts';
import { rewindGroup } from './rewind.ts';
import { kafkaSubscription } from './subscription.ts';

export interface KafkaBusOptions {
  readonly kafka: KafkaConnection;
  readonly registry: RegistryOptions;
  readonly eventTypes: EventTypes;
  /** Prefix of every topic name, followed by a hyphen. */
  readonly topicPrefix?: string | undefined;
  /** Name of this service in the source of its events. */
  readonly service: string;
  readonly now: () => Date;
  readonly log: Log;
}

/** The bus for production: Kafka and a schema registry, in the platform's wire format. */
export function kafkaBus(options: KafkaBusOptions): EventBus {
  const { eventTypes, log, now } = options;
  const kafka = kafkaClient(options.kafka, log);
  const registry = schemaRegistry(options.registry);
  const codec = avroCodec(registry);
  const producer = publisher(kafka, log);
  const source = sourceOf(options.service);
  const prefix = options.topicPrefix ? `${options.topicPrefix}-` : '';
  const fullName = (topic: string) => prefix + topic;
  const subscriptions = new Set<Subscription>();

  const read = async (message: RawMessage): Promise<ReceivedEvent> => ({
    ...(await readMessage(eventTypes, message, { codec, now: now(), source })),
    position: message.position,
  });

  async function prepare(event: OutgoingEvent): Promise<TopicMessage | { reason: string }> {
    const checked = sendable(eventTypes, event);
    if ('reason' in checked) return checked;
    const { definition } = checked;
    const topic = fullName(definition.topic);
    try {
      const encoded = await encodeEvent(registry, topic, definition, event);
      const headers = writeHeaders(event, { source, contentType: codec.contentType });
      return { topic, message: { ...encoded, headers, timestamp: String(now().getTime()) } };
    } catch (error) {
      if (error instanceof SchemaRejected) return { reason: error.message };
      throw error;
    }
  }

  return {
    async publish(events) {
      const messages: TopicMessage[] = [];
      const refused: RefusedEvent[] = [];
      for (const event of events) {
        const prepared = await prepare(event);
        if ('reason' in prepared) refused.push({ event, reason: prepared.reason });
        else messages.push(prepared);
      }
      if (messages.length > 0) await producer.send(messages);
      return refused;
    },
    consume(consumption) {
      const subscription = kafkaSubscription(kafka, {
        ...consumption,
        topics: consumption.topics.map(fullName),
        baseName: (topic) => topic.slice(prefix.length),
        deliver: delivery({ ...consumption, read, log }),
        log,
      });
      subscriptions.add(subscription);
      return subscription;
    },
    read,
    rewind: ({ group, topics, to }) => rewindGroup(kafka, { group, topics: topics.map(fullName), to }),
    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
      await producer.close();
      await registry.close();
    },
  };
}
