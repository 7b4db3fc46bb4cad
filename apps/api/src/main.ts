import { migrate } from '@enterprise-access/db';
import { buildRuntime, EnvironmentError, loggerOptions } from '@enterprise-access/platform';
import { startTelemetry } from '@enterprise-access/tracing';
import { pino } from 'pino';
import { buildApp } from './app.ts';
import { readEnvironment } from './env.ts';

const DRAIN_MS = 30_000;

async function main(): Promise<void> {
  const env = readEnvironment(process.env);
  const telemetry = await startTelemetry('enterprise-access-api', env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const logger = pino(loggerOptions(env.LOG_LEVEL));
  const runtime = buildRuntime(env, logger, `http://${env.HOST}:${env.PORT}`);
  let isAccepting = true;
  // Several processes may start at once: the migrations wait for each other.
  if (env.NODE_ENV !== 'production') await migrate(runtime.db);
  const app = await buildApp({ env, runtime, logger, isAccepting: () => isAccepting });

  const stop = async (signal: string) => {
    if (!isAccepting) return;
    isAccepting = false;
    logger.info({ signal }, 'stopping');
    // Whoever hangs is not waited for longer than an orchestrator would.
    setTimeout(() => process.exit(1), DRAIN_MS).unref();
    await app.close();
    await runtime.close();
    await telemetry.stop();
    logger.info('stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));

  const address = await app.listen({ host: env.HOST, port: env.PORT });
  logger.info({ address }, 'ready');
  // A parent that started us learns the port and that we are ready.
  process.send?.({ ready: address });
}

main().catch((error: unknown) => {
  if (error instanceof EnvironmentError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`The API could not start: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
