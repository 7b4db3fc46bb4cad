import { connect, migrate, waitForDatabase } from '@enterprise-access/db';
import { buildRuntime, databaseWaitOptions, loggerOptions, runProcess } from '@enterprise-access/platform';
import { startTelemetry } from '@enterprise-access/tracing';
import { pino } from 'pino';
import { buildApp } from './app.ts';
import { readEnvironment } from './env.ts';

await runProcess('API', 'PORT', async () => {
  const env = readEnvironment(process.env);
  const telemetry = await startTelemetry('enterprise-access-api', env.OTEL_EXPORTER_OTLP_ENDPOINT);
  const log = pino(loggerOptions(env.LOG_LEVEL));
  const runtime = buildRuntime(env, log, `http://localhost:${env.PORT}`, {
    statementTimeoutMs: env.DATABASE_STATEMENT_TIMEOUT_MS,
  });
  let isAccepting = true;
  // In production the process starts without the database; it is not ready until the database answers.
  if (env.NODE_ENV !== 'production') {
    await waitForDatabase(runtime.db, databaseWaitOptions(env, log));
    // Processes that start at the same time wait for each other's migrations. They use a pool without the statement
    // timeout, because DDL can take longer than a statement of a request.
    const db = connect({ url: env.DATABASE_URL, poolSize: 2 });
    await migrate(db, { say: (sentence) => log.info(sentence) }).finally(() => db.destroy());
  }
  const app = await buildApp({ env, runtime, logger: log, isAccepting: () => isAccepting });
  const stop = async () => {
    isAccepting = false;
    await app.close();
    await runtime.close();
    await telemetry.stop();
  };
  return { log, address: await app.listen({ host: env.HOST, port: env.PORT }), stop };
});
