import { buildRuntime, EnvironmentError, loggerOptions } from '@enterprise-access/platform';
import { startTelemetry } from '@enterprise-access/tracing';
import { pino } from 'pino';
import { readWorkerEnvironment } from './env.ts';
import { startWorker } from './worker.ts';

const DRAIN_MS = 30_000;

async function main(): Promise<void> {
  const env = readWorkerEnvironment(process.env);
  const telemetry = await startTelemetry('enterprise-access-worker', env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const log = pino(loggerOptions(env.LOG_LEVEL));
  const runtime = buildRuntime(env, log, 'http://127.0.0.1:18270');
  const worker = await startWorker({ env, runtime });
  let isStopping = false;
  const stop = async (signal: string) => {
    if (isStopping) return;
    isStopping = true;
    log.info({ signal }, 'stopping');
    // Whoever hangs is not waited for longer than an orchestrator would.
    setTimeout(() => process.exit(1), DRAIN_MS).unref();
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

main().catch((error: unknown) => {
  if (error instanceof EnvironmentError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`The worker could not start: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
