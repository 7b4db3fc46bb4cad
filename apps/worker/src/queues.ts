import { postgresConnection } from '@enterprise-access/db';
import type { Job, Log } from '@enterprise-access/domain';
import { type JobWithMetadata, PgBoss } from 'pg-boss';

/** Queue of jobs that failed finally; `npm run job -- dead-letters.retry` retries them. */
export const DEAD_LETTERS = 'dead-letters';

/** After this time without a heartbeat, in seconds, a process counts as crashed and its jobs are retried. */
const HEARTBEAT_SECONDS = 15;

/**
 * The queue's time limit exceeds the job's by this, in seconds, so that the worker ends the attempt first and knows
 * why.
 */
const GRACE_SECONDS = 30;

/** Interrupted attempts that a job may have if its contract does not say. */
const INTERRUPTIONS = 100;

/** Ten years: the library deletes jobs that wait longer, which we do not want. */
const KEPT_SECONDS = 315_360_000;

/**
 * Maximum number of waiting jobs in a queue. The rest waits in the outbox, because each fetch from a queue reads all
 * its waiting jobs.
 */
const CAPACITY = 1_000;

/** A job as stored in its queue. */
export interface QueuedJob {
  readonly payload: Readonly<Record<string, unknown>>;
  /** W3C trace context of the sender. */
  readonly trace: string | null;
  /** Shared by everything that follows from one call; jobs of earlier releases have none. */
  readonly correlationId?: string | null;
  /** Failed attempts so far. A retried dead letter has another id and starts again at 0. */
  readonly failed?: { readonly job: string; readonly times: number };
}

type Counted = Pick<JobWithMetadata<QueuedJob>, 'id' | 'name' | 'data' | 'retryCount'>;

export const allowedInterruptions = ({ contract }: Job): number => contract.retry.interruptions ?? INTERRUPTIONS;

/** How the earlier attempts of a job ended. The queue counts them all; we count those that failed. */
export function earlierAttempts({ id, data, retryCount }: Counted): { failures: number; interruptions: number } {
  const failures = data.failed?.job === id ? data.failed.times : 0;
  return { failures, interruptions: retryCount - failures };
}

/** Records that the current attempt failed. Without effect if this process lost its claim on the job. */
export async function recordFailure(boss: PgBoss, queued: Counted): Promise<void> {
  const failed = { job: queued.id, times: earlierAttempts(queued).failures + 1 };
  await boss.getDb().executeSql(
    `update pgboss.job set data = data || $1::jsonb
     where name = $2 and id = $3 and retry_count = $4 and state = 'active'`,
    [JSON.stringify({ failed }), queued.name, queued.id, queued.retryCount],
  );
}

const optionsOf = (job: Job) => ({
  // Only a bound: the worker decides which attempt is the last. The additional one moves a job to the dead letters.
  retryLimit: job.contract.retry.limit + allowedInterruptions(job) + 1,
  retryDelay: job.contract.retry.delaySeconds,
  // Exponential, with jitter.
  retryBackoff: true,
  retryDelayMax: job.contract.retry.maximumDelaySeconds,
  expireInSeconds: job.contract.timeoutSeconds + GRACE_SECONDS,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  retentionSeconds: KEPT_SECONDS,
  deadLetter: DEAD_LETTERS,
  notify: true,
});

/** Opens the queues. Creates the queues of new jobs and updates the others to their contracts. */
export async function openQueues(url: string, jobs: readonly Job[], log: Log): Promise<PgBoss> {
  const boss = new PgBoss({
    application_name: 'enterprise-access-worker',
    ...postgresConnection(url),
    useListenNotify: true,
    monitorIntervalSeconds: 5,
    superviseIntervalSeconds: 5,
  });
  boss.on('error', (error) => log.error({ err: error }, 'the job queues reported an error'));
  boss.on('warning', ({ message }) => log.warn({ warning: message }, 'warning of the job queues'));
  await boss.start();
  const deadLetters = { retryLimit: 0, retentionSeconds: KEPT_SECONDS };
  await boss.createQueue(DEAD_LETTERS, deadLetters);
  await boss.updateQueue(DEAD_LETTERS, deadLetters);
  for (const job of jobs) {
    const { name } = job.contract;
    const policy = job.contract.keyOf ? 'key_strict_fifo' : 'standard';
    await boss.createQueue(name, { policy, ...optionsOf(job) });
    await boss.updateQueue(name, optionsOf(job));
  }
  // pg-boss looks for jobs of crashed processes every few seconds; look now, because a process might not live that
  // long.
  boss
    .supervise()
    .catch((error: unknown) => log.warn({ err: error }, 'jobs of crashed processes could not be checked yet'));
  return boss;
}

/** Opens the queues to read them or to send jobs, without creating, maintaining or scheduling anything. */
export async function lookIntoQueues(url: string, log: Log): Promise<PgBoss> {
  const boss = new PgBoss({
    application_name: 'enterprise-access-command',
    ...postgresConnection(url),
    migrate: false,
    supervise: false,
    schedule: false,
  });
  boss.on('error', (error) => log.error({ err: error }, 'the job queues reported an error'));
  return boss.start();
}

/** Names of the queues that have reached their capacity. */
export async function fullQueues(boss: PgBoss, names: readonly string[]): Promise<string[]> {
  const { rows } = await boss.getDb().executeSql(
    `select q.name from unnest($1::text[]) as q(name) where (
       select count(*) from (
         select 1 from pgboss.job j where j.name = q.name and j.state < 'active' limit $2
       ) as waiting
     ) >= $2`,
    [names, CAPACITY],
  );
  return rows.map(({ name }: { name: string }) => name);
}
