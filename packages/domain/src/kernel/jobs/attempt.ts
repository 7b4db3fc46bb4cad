import { systemOrigin, withOrigin } from '@enterprise-access/db';
import type { Runtime } from '../runtime.ts';
import { type Job, type JobRun, onceIn } from './job.ts';
import { customerOf, reportsOf } from './runs.ts';

const LONGEST_ERROR = 500;

/** An attempt of a job, by the worker or on the command line. */
export interface Attempt {
  readonly uuid: string;
  readonly payload: unknown;
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
  /** Whether a failure of this attempt is final. */
  readonly isLast: boolean;
  /** Of the call that the job follows from; a job of its own begins a new one. */
  readonly correlationId?: string | null;
}

/** Runs one attempt, and updates the job's progress row if it has one. */
export async function runJob(runtime: Runtime, job: Job, attempt: Attempt): Promise<Record<string, unknown>> {
  const { uuid, payload, signal, dryRun } = attempt;
  const { name } = job.contract;
  const report = job.contract.reportsProgress && !dryRun ? reportsOf(runtime, uuid) : null;
  await report?.begin(name, customerOf(payload));
  const run: JobRun = {
    runtime,
    uuid,
    signal,
    dryRun,
    isLast: attempt.isLast,
    progress: async (done, total) => report?.progress(done, total),
    once: onceIn(runtime, { name, uuid, signal }),
  };
  try {
    const origin = systemOrigin({
      operation: name,
      source: 'job',
      requestId: uuid,
      correlationId: attempt.correlationId ?? uuid,
      customerUuid: customerOf(payload),
    });
    const result = await withOrigin(origin, () => job.run(run, payload));
    await report?.end('completed', result, null);
    return result;
  } catch (error) {
    // Only the kind of failure is stored: messages of other services can contain personal data.
    const kind = error instanceof Error ? error.name : 'Error';
    await report?.end(attempt.isLast ? 'failed' : 'retrying', null, `The job failed: ${kind}.`.slice(0, LONGEST_ERROR));
    throw error;
  }
}
