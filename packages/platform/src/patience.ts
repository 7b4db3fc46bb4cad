import type { ServiceEnvironment } from './environment.ts';

interface Log {
  warn(fields: object, message: string): void;
}

/** How a process waits at its start for databases that are starting or recovering. */
export const startPatience = (env: Pick<ServiceEnvironment, 'DATABASE_START_SECONDS'>, log: Log) => ({
  patienceMs: env.DATABASE_START_SECONDS * 1_000,
  onWait: (error: unknown) => log.warn({ err: error }, 'a database does not answer yet; waiting for it'),
});
