import type { EventBus } from '@enterprise-access/bus';
import { connect, waitForDatabase } from '@enterprise-access/db';
import { type Consumer, consumers as domainConsumers, jobs as domainJobs, type Job } from '@enterprise-access/domain';
import { databaseWaitOptions, type ServiceRuntime } from '@enterprise-access/platform';
import type { PgBoss } from 'pg-boss';
import { openBus } from './bus.ts';
import { deadLetterJobs, type Transport } from './dead-letters.ts';
import type { WorkerEnvironment } from './env.ts';
import { startConsuming } from './event-consumer.ts';
import { eventPublisher } from './event-publisher.ts';
import { startHealth } from './health.ts';
import { jobPublisher } from './job-publisher.ts';
import { workerMetrics } from './metrics.ts';
import { watchOutages } from './outage.ts';
import { openQueues } from './queues.ts';
import { startRelay } from './relay.ts';
import { keepSchedules, type Schedule, schedules } from './schedules.ts';
import { startWorkers } from './workers.ts';

export interface WorkerOptions {
  readonly env: WorkerEnvironment;
  readonly runtime: ServiceRuntime;
  readonly jobs?: readonly Job[];
  readonly schedules?: readonly Schedule[];
  readonly consumers?: readonly Consumer[];
}

export interface Worker {
  /** URL of the health and metrics endpoints. */
  readonly url: string;
  readonly boss: PgBoss;
  readonly bus: EventBus;
  /** Accepts no new work, finishes running jobs or returns them to their queues, and closes. */
  stop(): Promise<void>;
}

/** Waits for the jobs database to start or recover. The connection pool does the same for the business database. */
async function waitForQueues(env: WorkerEnvironment, log: ServiceRuntime['log']): Promise<void> {
  const queues = connect({ url: env.JOBS_DATABASE_URL, poolSize: 1 });
  try {
    await waitForDatabase(queues, databaseWaitOptions(env, log));
  } finally {
    await queues.destroy();
  }
}

/** Composition root of the worker: queues, job workers, schedules, outbox relay, event consumers, health. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { env, runtime } = options;
  const { db, log } = runtime;
  const consumers = options.consumers ?? domainConsumers;
  const ordinary = options.jobs ?? domainJobs;
  let opened: Transport | undefined;
  const transport = (): Transport => {
    if (!opened) throw new Error('The queues are not open yet.');
    return opened;
  };
  const jobs = [...ordinary, ...deadLetterJobs(transport, ordinary, consumers)];
  const bus = openBus(env, runtime);
  await waitForQueues(env, log);
  const boss = await openQueues(env.JOBS_DATABASE_URL, jobs, log);
  opened = { boss, bus };
  const metrics = workerMetrics(db, boss);
  const workers = await startWorkers({
    boss,
    runtime,
    jobs,
    outages: watchOutages(db),
    concurrency: env.JOBS_CONCURRENCY,
    onEnded: (job, outcome, seconds) => metrics.jobs.observe({ job, outcome }, seconds),
  });
  await keepSchedules(boss, jobs, options.schedules ?? schedules);
  const relay = startRelay({
    db,
    log,
    pollMs: env.RELAY_POLL_MS,
    publishers: { job: jobPublisher(boss, jobs, log), event: eventPublisher(runtime, bus) },
    onRelayed(kind, count, ageMs) {
      metrics.relayed.inc({ kind }, count);
      metrics.lag.observe({ kind }, ageMs / 1_000);
    },
  });
  startConsuming({
    bus,
    runtime,
    consumers,
    group: env.EVENT_BUS_CONSUMER_GROUP,
    onLag: ({ topic, partition, messages }) => metrics.consumed.set({ topic, partition }, messages),
  });
  let isAccepting = true;
  const health = await startHealth({
    host: env.HOST,
    port: env.WORKER_PORT,
    db,
    queuesAnswer: () => boss.isInstalled(),
    metrics: metrics.all,
    isAccepting: () => isAccepting,
  });
  return {
    url: health.url,
    boss,
    bus,
    async stop() {
      isAccepting = false;
      // In parallel: they are independent, and share one time limit.
      await Promise.all([relay.stop(), workers.stop(env.DRAIN_SECONDS * 1_000)]);
      // Stops the consumers, too.
      await bus.close();
      await boss.stop({ graceful: true, timeout: 2_000 });
      await health.stop();
      await runtime.close();
    },
  };
}
