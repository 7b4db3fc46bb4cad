import { type Job, type Runtime, runJob, withRequestId } from '@enterprise-access/domain';
import { inSpan, SpanKind } from '@enterprise-access/tracing';
import type { JobResult, JobWithMetadata, PgBoss } from 'pg-boss';
import type { OutageWatch } from './outage.ts';
import { allowedInterruptions, earlierAttempts, type QueuedJob, recordFailure } from './queues.ts';

/** How an attempt ended. `interrupted` (outage, shutdown) does not count as a failure and is always retried. */
export type Outcome = 'completed' | 'failed' | 'interrupted' | 'dead';

export interface AttemptsOptions {
  readonly boss: PgBoss;
  readonly runtime: Runtime;
  readonly outages: OutageWatch;
  /** Aborted when the process must exit and the time to drain is over. */
  readonly stopping: AbortSignal;
  readonly onEnded?: ((name: string, outcome: Outcome, seconds: number) => void) | undefined;
}

/** The attempt took longer than the job's contract allows. */
class JobTimeout extends Error {
  override readonly name = 'JobTimeout';
}

/** The process is stopping, or the business database was down for the whole time limit of the job. */
class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

/** The job was interrupted more often than its contract allows, possibly because it crashes the process. */
class InterruptedTooOften extends Error {
  override readonly name = 'InterruptedTooOften';
}

/** Fails instead of running the job, so that followers of its progress see that it ended. */
const exhausted = (job: Job): Job => ({ ...job, run: () => Promise.reject(new InterruptedTooOften()) });

/** Runs `work` in the trace of the job's sender, with the job's id as the request id of calls to other services. */
const inTrace = <T>({ id, name, data }: JobWithMetadata<QueuedJob>, work: () => Promise<T>): Promise<T> =>
  inSpan(`job ${name}`, { kind: SpanKind.CONSUMER, parent: data.trace, attributes: { 'job.id': id } }, () =>
    withRequestId(id, work),
  );

/** Rejects with the signal's reason as soon as it is aborted. The work may continue, but its result is ignored. */
function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  return promise;
}

/** Runs the job and returns its report. During an outage of the database it waits, up to the job's time limit. */
async function report(
  options: AttemptsOptions,
  job: Job,
  queued: JobWithMetadata<QueuedJob>,
  isLast: boolean,
): Promise<Record<string, unknown>> {
  const { runtime, outages, stopping } = options;
  const overdue = new AbortController();
  const timer = setTimeout(() => overdue.abort(new JobTimeout()), job.contract.timeoutSeconds * 1_000);
  const signal = AbortSignal.any([queued.signal, overdue.signal, stopping]);
  // A retried dead letter has a new id but is the same job.
  const uuid = queued.sourceRootId ?? queued.id;
  const attempt = {
    uuid,
    payload: queued.data.payload,
    signal,
    dryRun: false,
    isLast,
    correlationId: queued.data.correlationId ?? null,
  };
  try {
    for (;;) {
      try {
        return await unless(signal, runJob(runtime, job, attempt));
      } catch (error) {
        if (stopping.aborted) throw new Interrupted('The process is stopping.', { cause: error });
        if (signal.aborted || !(await outages.explains(error))) throw error;
        await outages.over(signal).catch((cause: unknown) => {
          throw new Interrupted('The database is unavailable.', { cause });
        });
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Runs one attempt of a job and completes, retries or dead-letters the job. Failures and interruptions count apart. */
export function attempts(
  options: AttemptsOptions,
): (job: Job, queued: JobWithMetadata<QueuedJob>) => Promise<JobResult> {
  const { boss, runtime, onEnded } = options;
  return async (job, queued) => {
    const { id, name } = queued;
    const start = performance.now();
    const { failures, interruptions } = earlierAttempts(queued);
    const isExhausted = interruptions > allowedInterruptions(job);
    const isLast = isExhausted || failures >= job.contract.retry.limit;
    const end = (outcome: Outcome) => onEnded?.(name, outcome, (performance.now() - start) / 1_000);
    try {
      const output = await inTrace(queued, () => report(options, isExhausted ? exhausted(job) : job, queued, isLast));
      end('completed');
      return { id, status: 'completed', output };
    } catch (error) {
      const isInterrupted = error instanceof Interrupted;
      const isDead = isLast && !isInterrupted;
      end(isDead ? 'dead' : isInterrupted ? 'interrupted' : 'failed');
      runtime.log.warn({ err: error, job: name, id, isDead }, 'an attempt at a job failed');
      if (!isDead && !isInterrupted) {
        // If the queue is down, the attempt cannot be settled either and will count as interrupted.
        await recordFailure(boss, queued).catch((cause) =>
          runtime.log.warn({ err: cause, job: name, id }, 'not counted'),
        );
      }
      // Only the kind of failure: staff read it, and messages can contain personal data.
      const output = { error: error instanceof Error ? error.name : 'Error' };
      return { id, status: isDead ? 'deadletter' : 'failed', output };
    }
  };
}
