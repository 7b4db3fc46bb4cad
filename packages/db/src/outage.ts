import { isDatabaseUnavailable, isRetryable } from './failures.ts';

interface Log {
  error(details: object, message: string): void;
  info(details: object, message: string): void;
}

/** Receives the results of statements and connections. */
export interface OutageLog {
  failed(error: unknown): void;
  answered(): void;
}

/**
 * An outage ends after this time without failures. Single successes do not end it: a node without quorum can read
 * some tables.
 */
const CALM_MS = 5_000;

/** Logs the beginning and end of a database outage, once each, for any number of failing statements. */
export function outageLog(log: Log, now: () => number = () => performance.now()): OutageLog {
  let outage: { readonly since: number; latest: number; failures: number } | null = null;
  return {
    failed(error) {
      // A conflict between transactions is not an outage.
      if (!isDatabaseUnavailable(error) || isRetryable(error)) return;
      if (outage === null) log.error({ err: error }, 'the database is unavailable; requests that need it get 503');
      outage ??= { since: now(), latest: now(), failures: 0 };
      outage.latest = now();
      outage.failures += 1;
    },
    answered() {
      if (outage === null || now() - outage.latest < CALM_MS) return;
      const { since, latest, failures } = outage;
      outage = null;
      log.info({ seconds: Math.round((latest - since) / 100) / 10, failures }, 'the database is available again');
    },
  };
}
