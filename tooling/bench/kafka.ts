import { randomUUID } from 'node:crypto';
import { eventTypesOf, kafkaBus } from '@enterprise-access/bus';
import { appendToOutbox, type Dialect } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { events } from '@enterprise-access/domain';
import { Kafka, logLevel, type Message, Partitioners } from 'kafkajs';
import { eventPublisher } from '../../apps/worker/src/event-publisher.ts';
import { startRelay } from '../../apps/worker/src/relay.ts';
import { type BusServers, startBusServers } from './bus-servers.ts';
import { alternate, median, type Row, type Settings } from './measure.ts';
import { dialectsOf } from './setting.ts';
import { keyOf, makeWorkerSetting, PING, payloadOf, pingData, type WorkerSetting } from './worker-setting.ts';

const EVENTS = 8_000;
const CHUNK = 1_000;
const never = { publish: async () => undefined, saturated: async () => [] };

/** Fills the outbox, then measures until the broker has acknowledged all messages. */
async function ours({ db, runtime }: WorkerSetting, servers: BusServers) {
  const bus = kafkaBus({
    kafka: { brokers: [servers.brokers], clientId: 'bench' },
    registry: { url: servers.registryUrl },
    eventTypes: eventTypesOf(events.values()),
    topicPrefix: `bench-${randomUUID()}`,
    service: 'bench',
    now: () => new Date(),
    log: runtime.log,
  });
  /** Batch sizes; the reference uses the same. */
  const batches: number[] = [];
  return {
    batches,
    async rate(): Promise<number> {
      for (let from = 0; from < EVENTS; from += CHUNK) {
        const messages = Array.from({ length: CHUNK }, (_, index) => ({
          enterpriseCustomerUuid: null,
          kind: 'event' as const,
          name: PING,
          key: keyOf(from + index),
          payload: pingData(payloadOf(from + index)),
        }));
        await db.transaction((trx) => appendToOutbox(trx, new Date(), messages));
      }
      batches.length = 0;
      const sent = Promise.withResolvers<void>();
      let left = EVENTS;
      const start = performance.now();
      const relay = startRelay({
        db,
        log: runtime.log,
        pollMs: 50,
        publishers: { job: never, event: eventPublisher(runtime, bus) },
        onRelayed(_kind, count) {
          batches.push(count);
          left -= count;
          if (left === 0) sent.resolve();
        },
      });
      await sent.promise;
      // Also wait until the rows are marked as sent.
      await relay.stop();
      return EVENTS / ((performance.now() - start) / 1_000);
    },
    stop: () => bus.close(),
  };
}

/** A producer of the library, with the same guarantees, that is given messages of the same size in the same batches. */
async function reference(servers: BusServers, batches: readonly number[]) {
  const kafka = new Kafka({ brokers: [servers.brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: true,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const topic = `bench-${randomUUID()}`;
  const text = {
    ce_id: randomUUID(),
    ce_type: PING,
    ce_time: new Date().toISOString(),
    ce_source: 'openedx/bench/web',
  };
  const headers = { ...text, sourcehost: 'somewhere', sourcelib: '10.5.0', 'content-type': 'application/avro' };
  const messageOf = (number: number): Message => ({
    key: Buffer.from(`.....${keyOf(number)}`),
    value: Buffer.from(`.....${keyOf(number)} ${payloadOf(number).text}`),
    headers: { ...headers, ce_datacontenttype: 'application/avro', ce_specversion: '1.0', ce_minorversion: '0' },
  });
  return {
    async rate(): Promise<number> {
      const start = performance.now();
      let number = 0;
      for (const size of batches) {
        const messages = Array.from({ length: size }, (_, index) => messageOf(number + index));
        number += size;
        await producer.sendBatch({ acks: -1, timeout: 10_000, topicMessages: [{ topic, messages }] });
      }
      return EVENTS / ((performance.now() - start) / 1_000);
    },
    stop: () => producer.disconnect(),
  };
}

async function compare(servers: TestServers, bus: BusServers, dialect: Dialect, rounds: number): Promise<Row> {
  const setting = await makeWorkerSetting(servers, dialect);
  const a = await ours(setting, bus);
  const b = await reference(bus, a.batches);
  try {
    await alternate(1, [a.rate, b.rate]);
    const [left = [], right = []] = await alternate(rounds, [a.rate, b.rate]);
    return {
      name: `kafka: outbox to broker, ${dialect}`,
      ours: `${median(left).toFixed(0)}/s`,
      reference: `${median(right).toFixed(0)}/s bare producer`,
      ratio: median(left) / median(right),
      bar: { at: 'least', value: 0.5 },
    };
  } finally {
    await a.stop();
    await b.stop();
    await setting.stop();
  }
}

/** Events from the outbox to Kafka against a bare producer with the same batches. */
export async function kafka(servers: TestServers, { rounds }: Settings): Promise<Row[]> {
  const bus = await startBusServers();
  if ('missing' in bus) {
    process.stderr.write(`  left out: ${bus.missing}\n`);
    return [];
  }
  const rows: Row[] = [];
  try {
    for (const dialect of dialectsOf(servers)) rows.push(await compare(servers, bus, dialect, rounds));
  } finally {
    await bus.stop();
  }
  return rows;
}
