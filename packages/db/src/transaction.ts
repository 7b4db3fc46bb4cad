import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Transaction } from './knex.ts';

/** Deadlock victim, lock wait timeout, serialization failure: the database undid everything and asks to be tried again. */
const TRY_AGAIN = new Set(['40001', '40P01', 'ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'ER_CHECKREAD']);
const UNIQUE = new Set(['23505', 'ER_DUP_ENTRY']);
/** The server went away, is starting or cannot be reached: whatever was under way was undone or is unknown. */
const LOST =
  /^(?:08...|57P0[1-3]|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|PROTOCOL_CONNECTION_LOST|ER_SERVER_SHUTDOWN|ER_CONNECTION_KILLED)$/u;
const ATTEMPTS = 8;

const codeOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';

/** Objection and others wrap driver errors; the driver's own code is what decides. */
function driverCodes(error: unknown): string[] {
  const codes: string[] = [];
  for (let e = error; e instanceof Error && codes.length < 5; ) {
    codes.push(codeOf(e));
    e = 'nativeError' in e ? e.nativeError : e.cause;
  }
  return codes;
}

export const isUniqueViolation = (error: unknown): boolean => driverCodes(error).some((code) => UNIQUE.has(code));
export const isRetryable = (error: unknown): boolean => driverCodes(error).some((code) => TRY_AGAIN.has(code));

export const isConnectionLost = (error: unknown): boolean => driverCodes(error).some((code) => LOST.test(code));

/**
 * Runs `work` in one transaction and repeats it when the database chose it as a deadlock victim.
 * So `work` has no effect outside the transaction: no network, no shared state.
 */
export async function transaction<T>(db: Database, work: (trx: Transaction) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction(work);
    } catch (error) {
      if (attempt === ATTEMPTS || !isRetryable(error)) throw error;
      await sleep(Math.random() * 5 * 2 ** attempt);
    }
  }
}
