import { randomBytes } from 'node:crypto';
import { type TestServices, useService } from '@enterprise-access/services/testing';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { encodeEvent } from '../src/codec.ts';
import { type EventBus, kafkaBus, type Log, type OutgoingEvent } from '../src/index.ts';
import { type SchemaRegistry, schemaRegistry } from '../src/registry.ts';
import { watchedLog } from './collector.ts';
import type { Harness } from './contract.ts';
import { eventTypes } from './event-types.ts';
import { ping } from './events.ts';

export interface KafkaHarness extends Harness {
  readonly brokers: string;
  readonly registryUrl: string;
  readonly registry: SchemaRegistry;
  /** Prefix of the topics of the current test. */
  readonly prefix: string;
  /** Gives the next test topics of its own. */
  renew(): void;
  open(options?: { now?: () => Date; log?: Log; brokers?: string }): EventBus;
  /** The value of an event as it would be sent. */
  value(event: OutgoingEvent): Promise<Buffer>;
  close(): Promise<void>;
}

export async function kafkaHarness(services: TestServices): Promise<KafkaHarness> {
  const [brokers, registryUrl] = await Promise.all([useService(services, 'kafka'), useService(services, 'registry')]);
  const registry = schemaRegistry({ url: registryUrl });
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  let producer: Producer | undefined;
  let prefix = '';
  const renew = () => {
    prefix = `test-${randomBytes(6).toString('hex')}`;
  };
  renew();
  const encode = async (event: OutgoingEvent) => {
    const definition = eventTypes.get(event.type);
    if (!definition) throw new Error(event.type);
    return encodeEvent(registry, `${prefix}-${definition.topic}`, definition, event);
  };
  return {
    brokers,
    registryUrl,
    registry,
    get prefix() {
      return prefix;
    },
    renew,
    open: (options = {}) =>
      kafkaBus({
        kafka: { brokers: [options.brokers ?? brokers], clientId: 'enterprise_access' },
        registry: { url: registryUrl },
        eventTypes,
        topicPrefix: prefix,
        service: 'enterprise_access',
        now: options.now ?? (() => new Date()),
        log: options.log ?? watchedLog().log,
      }),
    value: async (event) => (await encode(event)).value,
    async put({ topic, headers, value }) {
      producer ??= kafka.producer({ allowAutoTopicCreation: true });
      await producer.connect();
      const { key, value: good } = await encode(ping('put'));
      const values = Object.entries(Object.groupBy(headers, ([name]) => name));
      await producer.send({
        topic: `${prefix}-${topic}`,
        messages: [
          {
            key,
            value: value === undefined ? good : value,
            headers: Object.fromEntries(values.map(([name, all]) => [name, (all ?? []).map(([, text]) => text)])),
          },
        ],
      });
    },
    async close() {
      await producer?.disconnect();
      await registry.close();
    },
  };
}
