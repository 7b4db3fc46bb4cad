import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { appendToOutbox, type Dialect, type OutboxMessage } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { startWorker } from '../../apps/worker/src/worker.ts';
import { startBusServers } from './bus-servers.ts';
import { percentile, type Row } from './measure.ts';
import { dialectsOf } from './setting.ts';
import { makeWorkerSetting, PING, payloadOf, pingConsumer, pingData, workJob } from './worker-setting.ts';

const SAMPLES = 150;
const BAR_MS = 250;

/** Measures the time from commit to handler, one message at a time, in an otherwise idle worker. */
async function measure(
  servers: TestServers,
  dialect: Dialect,
  what: 'job' | 'event',
  bus: Readonly<Record<string, string>>,
): Promise<Row> {
  const setting = await makeWorkerSetting(servers, dialect, bus);
  const { db, env, runtime } = setting;
  let arrived = Promise.withResolvers<number>();
  const onArrival = () => arrived.resolve(performance.now());
  const name = 'bench.work';
  const worker = await startWorker({
    env,
    runtime,
    jobs: [workJob(name, false, onArrival)],
    consumers: [pingConsumer(onArrival)],
    schedules: [],
  });
  const messageOf = (number: number): OutboxMessage =>
    what === 'job'
      ? { enterpriseCustomerUuid: null, kind: 'job', name, key: randomUUID(), payload: payloadOf(number) }
      : {
          enterpriseCustomerUuid: null,
          kind: 'event',
          name: PING,
          key: randomUUID(),
          payload: pingData(payloadOf(number)),
        };
  const times: number[] = [];
  try {
    for (let number = -5; number < SAMPLES; number += 1) {
      arrived = Promise.withResolvers();
      // A random time between two polls of the outbox.
      await sleep(Math.random() * 100);
      await db.transaction((trx) => appendToOutbox(trx, new Date(), [messageOf(number)]));
      const committed = performance.now();
      const ms = (await arrived.promise) - committed;
      // Warm-up: the first messages open connections and, with Kafka, create the topic and wait for the group.
      if (number >= 0) times.push(ms);
    }
  } finally {
    await worker.stop();
    await setting.stop();
  }
  const p99 = percentile(times, 0.99);
  const way = what === 'job' ? 'job' : bus.KAFKA_BROKERS ? 'event through Kafka' : 'event through the database';
  return {
    name: `latency: commit to handler, ${way}, ${dialect}`,
    ours: `p99 ${p99.toFixed(0)} ms, p50 ${percentile(times, 0.5).toFixed(0)} ms`,
    reference: `p99 ${BAR_MS} ms`,
    ratio: p99 / BAR_MS,
    bar: { at: 'most', value: 1 },
  };
}

export async function latency(servers: TestServers): Promise<Row[]> {
  const rows: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    rows.push(await measure(servers, dialect, 'job', {}), await measure(servers, dialect, 'event', {}));
  }
  const bus = await startBusServers();
  if ('missing' in bus) {
    process.stderr.write(`  Kafka is left out: ${bus.missing}\n`);
    return rows;
  }
  try {
    const address = { KAFKA_BROKERS: bus.brokers, SCHEMA_REGISTRY_URL: bus.registryUrl };
    rows.push(await measure(servers, 'postgres', 'event', { ...address, EVENT_BUS_TOPIC_PREFIX: randomUUID() }));
  } finally {
    await bus.stop();
  }
  return rows;
}
