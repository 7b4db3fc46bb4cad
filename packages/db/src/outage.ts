import { isDatabaseUnavailable, isRetryable } from './failures.ts';

interface Log {
  error(details: object, message: string): void;
  info(details: object, message: string): void;
}

/** Told how statements and connections fare. */
export interface OutageLog {
  failed(error: unknown): void;
  answered(): void;
}

/** Answers between failures do not end an outage: a node without quorum reads some tables and refuses others. */
const CALM_MS = 5_000;

/** Logs an outage of the database when it begins and when it is over, however many statements fail in it. */
export function outageLog(log: Log, now: () => number = () => performance.now()): OutageLog {
  let outage: { readonly since: number; latest: number; failures: number } | null = null;
  return {
    failed(error) {
      // A conflict of two transactions is no outage.
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
