import type { Job } from '@enterprise-access/domain';
import { jobs as domainJobs } from '@enterprise-access/domain';
import type { ServiceRuntime } from '@enterprise-access/platform';
import type { PgBoss } from 'pg-boss';
import { deadLetterJobs } from './dead-letters.ts';
import type { WorkerEnvironment } from './env.ts';
import { startHealth } from './health.ts';
import { workerMetrics } from './metrics.ts';
import { openQueues } from './queues.ts';
import { jobReceiver } from './receivers.ts';
import { type Receiver, startRelay } from './relay.ts';
import { keepSchedules, type Schedule, schedules } from './schedules.ts';
import { startWorkers } from './workers.ts';

const DRAIN_MS = 25_000;

export interface WorkerOptions {
  readonly env: WorkerEnvironment;
  readonly runtime: ServiceRuntime;
  /** Takes events over. */
  readonly events: Receiver;
  readonly jobs?: readonly Job[];
  readonly schedules?: readonly Schedule[];
}

export interface Worker {
  /** Address of readiness and metrics. */
  readonly url: string;
  readonly boss: PgBoss;
  /** Takes nothing new, lets what is in hand finish or gives it back, and closes. */
  stop(): Promise<void>;
}

/** The composition root: queues, workers, schedules, relay, health. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { env, runtime } = options;
  const { db, log } = runtime;
  const ordinary = options.jobs ?? domainJobs;
  let boss: PgBoss | undefined;
  const queues = (): PgBoss => {
    if (!boss) throw new Error('The queues are not open yet.');
    return boss;
  };
  const jobs = [...ordinary, ...deadLetterJobs(queues, ordinary)];
  const metrics = workerMetrics(db);
  boss = await openQueues(env.JOBS_DATABASE_URL, jobs, log);
  await startWorkers({
    boss,
    runtime,
    jobs,
    concurrency: env.JOBS_CONCURRENCY,
    onEnded: (job, outcome, seconds) => metrics.jobs.observe({ job, outcome }, seconds),
  });
  await keepSchedules(boss, jobs, options.schedules ?? schedules);
  const relay = startRelay({
    db,
    log,
    pollMs: env.RELAY_POLL_MS,
    receivers: { job: jobReceiver(boss, jobs, log), event: options.events },
    onRelayed(kind, count, ageMs) {
      metrics.relayed.inc({ kind }, count);
      metrics.lag.observe({ kind }, ageMs / 1_000);
    },
  });
  let isAccepting = true;
  const health = await startHealth({
    host: env.HOST,
    port: env.WORKER_PORT,
    db,
    queuesAnswer: () => queues().isInstalled(),
    registry: metrics.registry,
    isAccepting: () => isAccepting,
  });
  return {
    url: health.url,
    boss,
    async stop() {
      isAccepting = false;
      await relay.stop();
      await queues().stop({ graceful: true, timeout: DRAIN_MS });
      await health.stop();
      await runtime.close();
    },
  };
}
