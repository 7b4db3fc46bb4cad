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
  /** Jobs of one kind that this process runs at once. */
  readonly concurrency: number;
  readonly onEnded?: (name: string, outcome: Outcome, seconds: number) => void;
}

export interface Workers {
  /** Takes nothing new; what is in hand has so much time, then it is given back to its queue. */
  stop(patienceMs: number): Promise<void>;
}

/** Lets this process work on all jobs. Each is tried as its contract says; then it is a dead letter. */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { boss, runtime, jobs, outages, concurrency, onEnded } = options;
  const stopping = new AbortController();
  const attempt = attempts({ runtime, outages, stopping: stopping.signal, onEnded });
  for (const job of jobs) {
    const { name, reportsProgress } = job.contract;
    const settings = {
      // A batch waits for its slowest job, so long ones come one by one.
      batchSize: reportsProgress ? 1 : concurrency,
      includeMetadata: true,
      perJobResults: true,
      pollingIntervalSeconds: 1,
      notifyPollingIntervalSeconds: 5,
    } as const;
    let worker = '';
    worker = await boss.work<QueuedJob, unknown, typeof settings>(name, settings, async (batch) => {
      const results = await Promise.all(batch.map((queued) => attempt(job, queued)));
      // There may be more; without this it would come with the next poll.
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
 * A job that failed for good holds up the later ones of its key. It is a dead letter by now, so its place is cleared.
 * Returns how many there were; a dry run only counts them.
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
