import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@enterprise-access/db/servers';
import { type RunningKafka, startKafka } from '@enterprise-access/services';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import type { EventBus, OutgoingEvent } from '../src/index.ts';
import { collector, watchedLog } from './collector.ts';
import { until } from './contract.ts';
import { topics } from './event-types.ts';
import { ping, textOf } from './events.ts';
import { type KafkaHarness, kafkaHarness } from './kafka-harness.ts';
import { type BrokerProxy, brokerProxy } from './proxy.ts';

const { missing } = inject('services');

describe.skipIf(missing.kafka ?? missing.registry)('Kafka that fails', () => {
  let harness: KafkaHarness;
  let folder: string;
  let port: number;
  let kafka: RunningKafka;
  let proxy: BrokerProxy;
  const start = () => startKafka({ dataDir: join(folder, 'kafka'), port, advertisedPort: proxy.port, durable: false });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'enterprise-access-outage-'));
    port = await freePort();
    proxy = await brokerProxy(() => port);
    [harness, kafka] = await Promise.all([kafkaHarness(inject('services')), start()]);
  });
  afterAll(async () => {
    await proxy.close();
    await kafka.stop();
    await harness.close();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(() => {
    harness.renew();
    proxy.losesAcknowledgement = () => false;
  });

  /** As the relay does: the same events, until they are kept. Returns how often that failed. */
  async function publishUntilKept(bus: EventBus, events: readonly OutgoingEvent[]): Promise<number> {
    for (let failures = 0; ; failures += 1) {
      try {
        expect(await bus.publish(events)).toEqual([]);
        return failures;
      } catch {
        // Again.
      }
    }
  }

  test('an acknowledgement that is lost once: the batch is there, and there once', async () => {
    const bus = harness.open({ brokers: kafka.brokers });
    await bus.publish([ping('0')]);
    let lost = 0;
    proxy.losesAcknowledgement = () => ++lost === 1;
    await bus.publish([ping('1'), ping('2')]);
    expect(lost).toBeGreaterThan(1);
    await bus.publish([ping('3')]);
    const received = collector();
    bus.consume({ group: `group-${randomUUID()}`, topics: [topics.enterpriseCore], ...received });
    expect((await received.events.until((all) => all.some((event) => textOf(event) === '3'))).map(textOf)).toEqual([
      '0',
      '1',
      '2',
      '3',
    ]);
    await bus.close();
  });

  test('after a batch whose acknowledgement never came, another batch is not taken for its repetition', async () => {
    const bus = harness.open({ brokers: kafka.brokers });
    await bus.publish([ping('0')]);
    proxy.losesAcknowledgement = () => true;
    // The second was on its way already when the first failed.
    const both = [bus.publish([ping('1'), ping('2')]), bus.publish([ping('3'), ping('4')])];
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    proxy.losesAcknowledgement = () => false;
    await bus.publish([ping('5'), ping('6')]);
    const received = collector();
    bus.consume({ group: `group-${randomUUID()}`, topics: [topics.enterpriseCore], ...received });
    const all = (await received.events.until((events) => events.some((event) => textOf(event) === '6'))).map(textOf);
    expect([...new Set(all)]).toEqual(['0', '1', '2', '3', '4', '5', '6']);
    await bus.close();
  });

  test('a broker killed under load and down for long: no event is lost, keys keep their order, producer and consumer reconnect', async () => {
    const { log, lines } = watchedLog();
    const producer = harness.open({ brokers: kafka.brokers });
    const consumer = harness.open({ brokers: kafka.brokers, log });
    const received = collector();
    const subscription = consumer.consume({
      group: `group-${randomUUID()}`,
      topics: [topics.enterpriseCore],
      ...received,
    });
    await until(() => subscription.isConnected);
    const keys = ['a', 'b', 'c'];
    const batchOf = (batch: number) => keys.flatMap((key) => [0, 1].map((n) => ping(`${batch * 2 + n}`, key)));
    const isLost = () => lines.items.filter(({ message }) => message === 'consumer lost the broker connection').length;

    for (let batch = 0; batch < 10; batch += 1) await publishUntilKept(producer, batchOf(batch));
    const outage = (async () => {
      await kafka.stop();
      const since = performance.now();
      // Each failure has exhausted what the library tries by itself.
      await lines.until(() => isLost() >= 3);
      expect(subscription.isConnected).toBe(false);
      kafka = await start();
      return performance.now() - since;
    })();
    let failures = 0;
    for (let batch = 10; batch < 30; batch += 1) failures += await publishUntilKept(producer, batchOf(batch));
    const awayMs = await outage;
    expect(failures).toBeGreaterThan(0);
    expect(awayMs).toBeGreaterThan(5_000);

    const expected = Array.from({ length: 60 }, (_, n) => String(n));
    const orderOf = (key: string) => [
      ...new Set(
        received.events.items.filter(({ data }) => (data.ping as { ping_uuid: string }).ping_uuid === key).map(textOf),
      ),
    ];
    await received.events.until(() => keys.every((key) => orderOf(key).length === expected.length));
    for (const key of keys) expect(orderOf(key)).toEqual(expected);
    expect(received.letters.items).toEqual([]);
    expect(subscription.isConnected).toBe(true);
    await Promise.all([producer.close(), consumer.close()]);
  });
});
