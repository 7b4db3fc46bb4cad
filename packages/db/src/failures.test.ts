import { expect, test } from 'vitest';
import { isDatabaseUnavailable, isRetryable, isUniqueViolation } from './failures.ts';
import type { Database } from './knex.ts';
import { outageLog } from './outage.ts';
import { transaction } from './transaction.ts';

const failure = (code: string, message = code) => Object.assign(new Error(message), { code });

test.each([
  'ECONNREFUSED',
  'PROTOCOL_CONNECTION_LOST',
  '57P01',
  '57P03',
  '08006',
  '25006',
  '53100',
  '53300',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_UNKNOWN_COM_ERROR',
  'ER_CON_COUNT_ERROR',
  'ER_DISK_FULL',
  'ER_RECORD_FILE_FULL',
  'ER_OPTION_PREVENTS_STATEMENT',
  'STATEMENT_TIMEOUT',
])('%s: the database is unavailable, also below the error of a library', (code) => {
  expect(isDatabaseUnavailable(failure(code))).toBe(true);
  expect(isDatabaseUnavailable(Object.assign(new Error('objection'), { nativeError: failure(code) }))).toBe(true);
});

test('a connection that ends without a code, and a pool without a free connection, are the database’s', () => {
  expect(isDatabaseUnavailable(new Error('Connection terminated unexpectedly'))).toBe(true);
  expect(isDatabaseUnavailable(new Error('insert into "a" - Connection terminated unexpectedly'))).toBe(true);
  expect(isDatabaseUnavailable(Object.assign(new Error('full'), { name: 'KnexTimeoutError' }))).toBe(true);
});

test.each(['23505', 'ER_DUP_ENTRY', '42P01', 'ER_PARSE_ERROR', '22P02'])('%s is a fault of ours', (code) => {
  expect(isDatabaseUnavailable(failure(code))).toBe(false);
});

test('another service that cannot be reached is not the database', () => {
  const upstream = Object.assign(new Error('lms: no reply', { cause: failure('ECONNREFUSED') }), {
    name: 'UpstreamFailure',
  });
  expect(isDatabaseUnavailable(upstream)).toBe(false);
  expect(isUniqueViolation(upstream)).toBe(false);
});

/** A database whose transactions fail so many times. */
function conflicting(times: number, error: Error) {
  const seen = { attempts: 0 };
  const db = {
    transaction: async (work: (trx: object) => Promise<unknown>) => {
      seen.attempts += 1;
      if (seen.attempts <= times) throw error;
      return work({});
    },
  } as unknown as Database;
  return { db, seen };
}

test('a conflict is tried again far more often than eight times', async () => {
  const { db, seen } = conflicting(12, failure('ER_LOCK_DEADLOCK'));
  expect(await transaction(db, async () => 'done')).toBe('done');
  expect(seen.attempts).toBe(13);
});

test('after the deadline the conflict is the caller’s; what no repeat can change is not repeated', async () => {
  const clock = { ms: 0 };
  const conflict = conflicting(Number.POSITIVE_INFINITY, failure('40001'));
  const late = transaction(conflict.db, async () => null, { deadlineMs: 250, now: () => (clock.ms += 100) });
  await expect(late).rejects.toSatisfy(isRetryable);
  expect(conflict.seen.attempts).toBe(3);
  const lost = conflicting(1, failure('ECONNRESET'));
  await expect(transaction(lost.db, async () => null)).rejects.toThrow('ECONNRESET');
  expect(lost.seen.attempts).toBe(1);
});

test('an outage is logged when it begins and when it is over', () => {
  const clock = { ms: 0 };
  const lines: string[] = [];
  const say = (_details: object, message: string) => void lines.push(message);
  const outages = outageLog({ error: say, info: say }, () => clock.ms);
  for (let count = 0; count < 100; count += 1) {
    outages.failed(failure('ECONNREFUSED'));
    outages.answered();
  }
  outages.failed(failure('ER_LOCK_DEADLOCK'));
  expect(lines).toEqual(['the database is unavailable; requests that need it get 503']);
  clock.ms = 6_000;
  outages.answered();
  outages.answered();
  expect(lines.slice(1)).toEqual(['the database is available again']);
});
