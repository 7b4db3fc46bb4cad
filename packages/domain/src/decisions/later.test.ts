import type { Database } from '@enterprise-access/db';
import { expect, test } from 'vitest';
import { decisionsStored, keepDecisionsLater } from './later.ts';
import type { Decision } from './tables.ts';

const decision = { uuid: 'one', checks: {}, facts: { v: 1, of: 'redemption' } } as unknown as Decision;

/** A database whose inserts end when they are told to. */
function slowDatabase() {
  const batches: { readonly count: number; end(error?: Error): void }[] = [];
  const insert = (rows: unknown[]) =>
    new Promise<void>((resolve, reject) => {
      batches.push({ count: rows.length, end: (error) => (error ? reject(error) : resolve()) });
    });
  const db = (() => ({ insert })) as unknown as Database;
  const warnings: string[] = [];
  const log = { info() {}, error() {}, warn: (_details: object, message: string) => void warnings.push(message) };
  const endNext = async (at: number, error?: Error): Promise<void> => {
    await expect.poll(() => batches.length).toBeGreaterThan(at);
    batches[at]?.end(error);
  };
  return { deps: { db, log }, batches, warnings, endNext };
}

test('decisions that come while others are written go together, and nothing is left when it ends', async () => {
  const { deps, batches, endNext } = slowDatabase();
  for (let n = 0; n < 31; n += 1) keepDecisionsLater(deps, [decision]);
  const stored = decisionsStored(deps.db);
  await endNext(0);
  await endNext(1);
  await stored;
  expect(batches.map(({ count }) => count)).toEqual([1, 30]);
  keepDecisionsLater(deps, []);
  await decisionsStored(deps.db);
  keepDecisionsLater(deps, [decision]);
  await endNext(2);
  await decisionsStored(deps.db);
  expect(batches).toHaveLength(3);
});

test('a batch that fails is lost with a line in the log; so are those beyond the bound', async () => {
  const { deps, batches, warnings, endNext } = slowDatabase();
  keepDecisionsLater(deps, [decision]);
  keepDecisionsLater(
    deps,
    Array.from({ length: 1_200 }, () => decision),
  );
  expect(warnings).toHaveLength(1);
  await endNext(0, new Error('refused'));
  for (let at = 1; at <= 10; at += 1) await endNext(at);
  await decisionsStored(deps.db);
  expect(warnings).toHaveLength(2);
  expect(batches.map(({ count }) => count)).toEqual([1, ...Array.from({ length: 10 }, () => 100)]);
});
