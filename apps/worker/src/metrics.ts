import { type Database, outboxBacklog } from '@enterprise-access/db';
import { registerCacheMetrics, type Shared } from '@enterprise-access/platform';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { countOpen } from './letters.ts';

/** What operators watch of a worker. Times in seconds. */
export function workerMetrics({ db, ...parts }: { readonly db: Database } & Partial<Shared>) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  registerCacheMetrics(registry, parts);
  const waiting = new Gauge({
    name: 'enterprise_access_outbox_waiting',
    help: 'Messages in the outbox that are not sent yet.',
    registers,
    async collect() {
      const backlog = await outboxBacklog(db);
      this.set(backlog.waiting);
      age.set(backlog.oldest === null ? 0 : (Date.now() - backlog.oldest.getTime()) / 1_000);
    },
  });
  const age = new Gauge({
    name: 'enterprise_access_outbox_oldest_seconds',
    help: 'How long the oldest message in the outbox has waited.',
    registers,
  });
  const relayed = new Counter({
    name: 'enterprise_access_outbox_relayed_total',
    help: 'Messages handed on to the queues or the event bus.',
    labelNames: ['kind'],
    registers,
  });
  const lag = new Histogram({
    name: 'enterprise_access_outbox_lag_seconds',
    help: 'From the commit of the oldest message of a batch to its hand-over.',
    labelNames: ['kind'],
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
    registers,
  });
  const jobs = new Histogram({
    name: 'enterprise_access_job_seconds',
    help: 'Length of attempts at jobs.',
    labelNames: ['job', 'outcome'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600],
    registers,
  });
  const consumed = new Gauge({
    name: 'enterprise_access_consumer_lag',
    help: 'Messages of a partition that our group has not finished.',
    labelNames: ['topic', 'partition'],
    registers,
  });
  new Gauge({
    name: 'enterprise_access_dead_letters',
    help: 'Events that wait for somebody to look at them.',
    registers,
    async collect() {
      this.set(await countOpen(db));
    },
  });
  return { registry, consumed, waiting, relayed, lag, jobs };
}
