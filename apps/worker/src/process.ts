import { buildRuntime, loggerOptions, runProcess, type Variables } from '@enterprise-access/platform';
import { startTelemetry } from '@enterprise-access/tracing';
import { pino } from 'pino';
import { readWorkerEnvironment } from './env.ts';
import { startWorker, type WorkerOptions } from './worker.ts';

/** Jobs and schedules of this process, if not those of all slices. */
export type ProcessOptions = Pick<WorkerOptions, 'jobs' | 'schedules' | 'consumers'>;

/** Runs the worker as a process until it is stopped. */
export const runWorkerProcess = (variables: Variables, options: ProcessOptions = {}): Promise<void> =>
  runProcess('worker', 'WORKER_PORT', async () => {
    const env = readWorkerEnvironment(variables);
    const telemetry = await startTelemetry('enterprise-access-worker', env.OTEL_EXPORTER_OTLP_ENDPOINT);
    const log = pino(loggerOptions(env.LOG_LEVEL));
    const runtime = buildRuntime(env, log, 'http://localhost:18270');
    const worker = await startWorker({ env, runtime, ...options });
    const stop = async () => {
      await worker.stop();
      await telemetry.stop();
    };
    return { log, address: worker.url, stop };
  });
