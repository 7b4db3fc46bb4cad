import { buildRuntime, loggerOptions, runProcess, type Variables } from '@enterprise-access/platform';
import { startTelemetry } from '@enterprise-access/tracing';
import { pino } from 'pino';
import { readWorkerEnvironment } from './env.ts';
import { startWorker, type WorkerOptions } from './worker.ts';

/** What this process works on, where that is not everything that the domain declares. */
export type ProcessOptions = Pick<WorkerOptions, 'jobs' | 'schedules' | 'consumers'>;

/** The worker as a process: until it is told to stop, or until it cannot start. */
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
