import { postgresConnection } from '@enterprise-access/db';
import type { Job, Log } from '@enterprise-access/domain';
import { PgBoss } from 'pg-boss';

/** Where jobs end that failed for good; `npm run job -- dead-letters.retry` sends them back. */
export const DEAD_LETTERS = 'dead-letters';

/** A process that dies is noticed after this long, in seconds, and its jobs are tried again. */
const HEARTBEAT_SECONDS = 15;

/** How much longer than a job its queue waits for it, in seconds: who runs it ends it first, and knows why. */
const GRACE_SECONDS = 30;

/**
 * Attempts that end without a fault of the job: its process died or was stopped, or our database was away. They are not
 * the last ones; yet a job that takes every process down with it must come to an end.
 */
const INTERRUPTIONS = 100;

/** Ten years: a queue deletes what waits longer, and nobody asked for that. */
const KEPT_SECONDS = 315_360_000;

/** Jobs of one kind that wait in their queue. More wait in the outbox: each look into a queue reads all that wait there. */
const CAPACITY = 1_000;

/** What a queue holds of a job. */
export interface QueuedJob {
  readonly payload: Readonly<Record<string, unknown>>;
  /** W3C trace context of whoever asked for it. */
  readonly trace: string | null;
  /** Shared by everything that follows from one call; jobs of earlier releases have none. */
  readonly correlationId?: string | null;
}

const optionsOf = ({ contract }: Job) => ({
  retryLimit: contract.retry.limit + INTERRUPTIONS,
  retryDelay: contract.retry.delaySeconds,
  // Exponential, with jitter.
  retryBackoff: true,
  retryDelayMax: contract.retry.maximumDelaySeconds,
  expireInSeconds: contract.timeoutSeconds + GRACE_SECONDS,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  retentionSeconds: KEPT_SECONDS,
  deadLetter: DEAD_LETTERS,
  notify: true,
});

/** Opens the queues; those of new jobs are made, those of known ones follow their contracts. */
export async function openQueues(url: string, jobs: readonly Job[], log: Log): Promise<PgBoss> {
  const boss = new PgBoss({
    application_name: 'enterprise-access-worker',
    ...postgresConnection(url),
    useListenNotify: true,
    monitorIntervalSeconds: 5,
    superviseIntervalSeconds: 5,
  });
  boss.on('error', (error) => log.error({ err: error }, 'the job queues reported an error'));
  boss.on('warning', ({ message }) => log.warn({ warning: message }, 'the job queues warn'));
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
  // The queues look for jobs of dead processes every few seconds; a process that lives shorter would never look.
  boss.supervise().catch((error: unknown) => log.warn({ err: error }, 'jobs of dead processes are looked for later'));
  return boss;
}

/** Opens the queues for somebody who looks or asks and runs no jobs: nothing is made, kept up or scheduled. */
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

/** Those of the queues in which enough jobs wait. */
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
