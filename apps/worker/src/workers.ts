import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, Runtime } from '@enterprise-access/domain';
import type { PgBoss } from 'pg-boss';
import { attempts, type Outcome } from './attempts.ts';
import type { OutageWatch } from './outage.ts';
import { DEAD_LETTERS, type QueuedJob } from './queues.ts';

export interface WorkersOptions {
  readonly boss: PgBoss;
  readonly runtime: Runtime;
  readonly jobs: readonly Job[];
  readonly outages: OutageWatch;
  /** Concurrent jobs of one kind in this process. */
  readonly concurrency: number;
  readonly onEnded?: (name: string, outcome: Outcome, seconds: number) => void;
}

export interface Workers {
  /** Accepts no new jobs. Running jobs get this much time; then they are returned to their queues. */
  stop(patienceMs: number): Promise<void>;
}

/** Starts workers for all jobs. A job is retried as its contract says and then becomes a dead letter. */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { boss, runtime, jobs, outages, concurrency, onEnded } = options;
  const stopping = new AbortController();
  const attempt = attempts({ boss, runtime, outages, stopping: stopping.signal, onEnded });
  for (const job of jobs) {
    const { name, reportsProgress } = job.contract;
    const settings = {
      // A batch waits for its slowest job, so long jobs are fetched one by one.
      batchSize: reportsProgress ? 1 : concurrency,
      includeMetadata: true,
      perJobResults: true,
      pollingIntervalSeconds: 1,
      notifyPollingIntervalSeconds: 5,
    } as const;
    let worker = '';
    worker = await boss.work<QueuedJob, unknown, typeof settings>(name, settings, async (batch) => {
      const results = await Promise.all(batch.map((queued) => attempt(job, queued)));
      // Fetch the next job immediately instead of at the next poll.
      boss.notifyWorker(worker);
      return results;
    });
  }
  return {
    async stop(patienceMs) {
      const done = Promise.all(jobs.map(({ contract }) => boss.offWork(contract.name, { wait: true })));
      await Promise.race([done, sleep(patienceMs, undefined, { ref: false })]);
      stopping.abort();
      await done;
    },
  };
}

/**
 * Unblocks keys: a finally failed job blocks later jobs of its key. It is a dead letter by now, so it is removed from
 * its queue. Returns the number of jobs; a dry run only counts them.
 */
export async function clearBlockedKeys(
  boss: PgBoss,
  jobs: readonly Job[],
  { dryRun }: { dryRun: boolean },
): Promise<number> {
  let cleared = 0;
  for (const { contract } of jobs) {
    if (!contract.keyOf || contract.name === DEAD_LETTERS) continue;
    for (const key of await boss.getBlockedKeys(contract.name)) {
      const found = await boss.findJobs(contract.name, { key });
      const failed = found.filter(({ state }) => state === 'failed').map(({ id }) => id);
      if (failed.length > 0 && !dryRun) await boss.deleteJob(contract.name, failed);
      cleared += failed.length;
    }
  }
  return cleared;
}
