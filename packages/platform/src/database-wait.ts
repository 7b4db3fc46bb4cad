import type { ServiceEnvironment } from './environment.ts';

interface Log {
  warn(fields: object, message: string): void;
}

/** Options for waiting at process start until databases are up. */
export const databaseWaitOptions = (env: Pick<ServiceEnvironment, 'DATABASE_START_SECONDS'>, log: Log) => ({
  patienceMs: env.DATABASE_START_SECONDS * 1_000,
  onWait: (error: unknown) => log.warn({ err: error }, 'waiting for a database that does not answer yet'),
});
