import {
  buildRuntime,
  EnvironmentError,
  loggerOptions,
  startTelemetry,
  type Variables,
} from '@enterprise-access/platform';
import { pino } from 'pino';
import { readWorkerEnvironment } from './env.ts';
import { startWorker, type WorkerOptions } from './worker.ts';

/** For what follows when everything in hand is finished or given back: closing connections. */
const CLOSING_MS = 10_000;

/** What this process works on, where that is not everything that the domain declares. */
export type ProcessOptions = Pick<WorkerOptions, 'jobs' | 'schedules' | 'consumers'>;

async function run(variables: Variables, options: ProcessOptions): Promise<void> {
  const env = readWorkerEnvironment(variables);
  const telemetry = startTelemetry('enterprise-access-worker', env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const log = pino(loggerOptions(env.LOG_LEVEL));
  const runtime = buildRuntime(env, log, 'http://127.0.0.1:18270');
  const worker = await startWorker({ env, runtime, ...options });
  let isStopping = false;
  const stop = async (signal: string) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'stopping');
    // Whoever hangs is not waited for longer than an orchestrator would.
    setTimeout(() => process.exit(1), env.DRAIN_SECONDS * 1_000 + CLOSING_MS).unref();
    await worker.stop();
    await telemetry.stop();
    log.info('stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  log.info({ address: worker.url }, 'ready');
  // A parent that started us learns that we are ready.
  process.send?.({ ready: worker.url });
}

/** The worker as a process: until it is told to stop, or until it cannot start. */
export function runWorkerProcess(variables: Variables, options: ProcessOptions = {}): void {
  run(variables, options).catch((error: unknown) => {
    if (error instanceof EnvironmentError) process.stderr.write(`${error.message}\n`);
    else process.stderr.write(`The worker could not start: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
}
