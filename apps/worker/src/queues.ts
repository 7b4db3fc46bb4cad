import type { Job, Log } from '@enterprise-access/domain';
import { PgBoss } from 'pg-boss';

/** Where jobs end that failed for good; `npm run job -- dead-letters.retry` sends them back. */
export const DEAD_LETTERS = 'dead-letters';

/** A process that dies is noticed after this long, in seconds, and its jobs are tried again. */
const HEARTBEAT_SECONDS = 15;

/** What a queue holds of a job. */
export interface QueuedJob {
  readonly payload: Readonly<Record<string, unknown>>;
  /** W3C trace context of whoever asked for it. */
  readonly trace: string | null;
}

const optionsOf = ({ contract }: Job) => ({
  retryLimit: contract.retry.limit,
  retryDelay: contract.retry.delaySeconds,
  // Exponential, with jitter.
  retryBackoff: true,
  retryDelayMax: contract.retry.maximumDelaySeconds,
  expireInSeconds: contract.timeoutSeconds,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  deadLetter: DEAD_LETTERS,
  notify: true,
});

/** Opens the queues; those of new jobs are made, those of known ones follow their contracts. */
export async function openQueues(url: string, jobs: readonly Job[], log: Log): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: url,
    application_name: 'enterprise-access-worker',
    useListenNotify: true,
    monitorIntervalSeconds: 5,
    superviseIntervalSeconds: 5,
  });
  boss.on('error', (error) => log.error({ err: error }, 'the job queues reported an error'));
  boss.on('warning', ({ message }) => log.warn({ warning: message }, 'the job queues warn'));
  await boss.start();
  await boss.createQueue(DEAD_LETTERS, { retryLimit: 0 });
  for (const job of jobs) {
    const { name } = job.contract;
    const policy = job.contract.keyOf ? 'key_strict_fifo' : 'standard';
    await boss.createQueue(name, { policy, ...optionsOf(job) });
    await boss.updateQueue(name, optionsOf(job));
  }
  return boss;
}
