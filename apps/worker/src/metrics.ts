import { type Database, outboxBacklog } from '@enterprise-access/db';
import { countPendingBefore } from '@enterprise-access/domain';
import { type ProcessMetrics, processMetrics } from '@enterprise-access/platform';
import type { PgBoss } from 'pg-boss';
import { Counter, Gauge, Histogram } from 'prom-client';
import { countOpen } from './dead-letter-store.ts';

/** Longer than a redemption normally takes, and than the interval of the job that completes pending ones. */
const STUCK_MS = 5 * 60_000;

const PATIENCE_MS = 2_000;

/** Returns null if the query fails, so that an unavailable database only removes its own metrics. */
function orNull<T>(asked: Promise<T>): Promise<T | null> {
  const late = new Promise<null>((resolve) => setTimeout(resolve, PATIENCE_MS, null).unref());
  return Promise.race([asked.catch(() => null), late]);
}

/** Metrics of a worker; times in seconds. Metrics read from the database are the same on every worker. */
export function workerMetrics(db: Database, boss: PgBoss) {
  const all: ProcessMetrics = processMetrics(db);
  const registers = [all.registry];
  new Gauge({
    name: 'enterprise_access_outbox_waiting',
    help: 'Messages in the outbox that are not sent yet.',
    registers,
    async collect() {
      const backlog = await orNull(outboxBacklog(db));
      this.set(backlog?.waiting ?? Number.NaN);
      const since = backlog?.oldest?.getTime() ?? Date.now();
      age.set(backlog ? (Date.now() - since) / 1_000 : Number.NaN);
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
    name: 'enterprise_access_queue_jobs',
    help: 'Jobs by queue and state. What is in the queue dead-letters failed for good.',
    labelNames: ['queue', 'state'],
    registers,
    async collect() {
      this.reset();
      const queues = (await orNull(boss.getQueues())) ?? [];
      for (const { name: queue, readyCount, deferredCount, activeCount, failedCount } of queues) {
        this.set({ queue, state: 'ready' }, readyCount);
        this.set({ queue, state: 'deferred' }, deferredCount);
        this.set({ queue, state: 'active' }, activeCount);
        this.set({ queue, state: 'failed' }, failedCount);
      }
    },
  });
  new Gauge({
    name: 'enterprise_access_dead_letters',
    help: 'Events that wait for somebody to look at them.',
    registers,
    async collect() {
      this.set((await orNull(countOpen(db))) ?? Number.NaN);
    },
  });
  new Gauge({
    name: 'enterprise_access_redemptions_stuck',
    help: 'Redemptions that have been pending for more than five minutes.',
    registers,
    async collect() {
      this.set((await orNull(countPendingBefore(db, new Date(Date.now() - STUCK_MS)))) ?? Number.NaN);
    },
  });
  return { all, consumed, relayed, lag, jobs };
}
