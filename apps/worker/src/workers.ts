import { type Attempt, type Job, type Runtime, runJob, withRequestId } from '@enterprise-access/domain';
import { inSpan, SpanKind } from '@enterprise-access/tracing';
import type { JobResult, JobWithMetadata, PgBoss } from 'pg-boss';
import { DEAD_LETTERS, type QueuedJob } from './queues.ts';

export interface WorkersOptions {
  readonly boss: PgBoss;
  readonly runtime: Runtime;
  readonly jobs: readonly Job[];
  /** Jobs of one kind that this process runs at once. */
  readonly concurrency: number;
  readonly onEnded?: (name: string, outcome: 'completed' | 'failed' | 'dead', seconds: number) => void;
}

/** Runs `work` in the trace of whoever asked for the job, and on behalf of the job for the services it calls. */
const inTrace = <T>({ id, name, data }: JobWithMetadata<QueuedJob>, work: () => Promise<T>): Promise<T> =>
  inSpan(`job ${name}`, { kind: SpanKind.CONSUMER, parent: data.trace, attributes: { 'job.id': id } }, () =>
    withRequestId(id, work),
  );

/** Lets this process work on all jobs. Each is tried as its contract says; then it is a dead letter. */
export async function startWorkers(options: WorkersOptions): Promise<void> {
  const { boss, runtime, jobs, concurrency } = options;

  async function attempt(job: Job, queued: JobWithMetadata<QueuedJob>): Promise<JobResult> {
    const start = performance.now();
    const isLast = queued.retryCount >= queued.retryLimit;
    const end = (outcome: 'completed' | 'failed' | 'dead') =>
      options.onEnded?.(queued.name, outcome, (performance.now() - start) / 1_000);
    const { signal } = queued;
    const what: Attempt = { uuid: queued.id, payload: queued.data.payload, signal, dryRun: false, isLast };
    try {
      const output = await inTrace(queued, () => runJob(runtime, job, what));
      end('completed');
      return { id: queued.id, status: 'completed', output };
    } catch (error) {
      end(isLast ? 'dead' : 'failed');
      runtime.log.warn({ err: error, job: queued.name, id: queued.id, isLast }, 'an attempt at a job failed');
      // The kind of failure only: messages can hold personal data, and staff read these.
      return { id: queued.id, status: 'failed', output: { error: error instanceof Error ? error.name : 'Error' } };
    }
  }

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
}

/**
 * A job that failed for good holds up the later ones of its key. It is a dead letter by now, so its place is cleared.
 * Returns how many there were.
 */
export async function clearBlockedKeys(boss: PgBoss, jobs: readonly Job[]): Promise<number> {
  let cleared = 0;
  for (const { contract } of jobs) {
    if (!contract.keyOf || contract.name === DEAD_LETTERS) continue;
    for (const key of await boss.getBlockedKeys(contract.name)) {
      const found = await boss.findJobs(contract.name, { key });
      const failed = found.filter(({ state }) => state === 'failed').map(({ id }) => id);
      if (failed.length > 0) await boss.deleteJob(contract.name, failed);
      cleared += failed.length;
    }
  }
  return cleared;
}
