import { buildRuntime, loggerOptions, runProcess } from '@enterprise-access/platform';
import { startTelemetry } from '@enterprise-access/tracing';
import { pino } from 'pino';
import { readWorkerEnvironment } from './env.ts';
import { startWorker } from './worker.ts';

await runProcess('worker', async () => {
  const env = readWorkerEnvironment(process.env);
  const telemetry = await startTelemetry('enterprise-access-worker', env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const log = pino(loggerOptions(env.LOG_LEVEL));
  const runtime = buildRuntime(env, log, 'http://127.0.0.1:18270');
  const worker = await startWorker({ env, runtime });
  const stop = async () => {
    await worker.stop();
    await telemetry.stop();
  };
  return { log, address: worker.url, stop };
});
