import type { Database, Dialect } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { once, REPLAY_MS } from './idempotency.ts';
import { newUuid } from './ids.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const inUse = { spec: { code: 'idempotency_key_in_use' } };
const reused = { spec: { code: 'idempotency_key_reused' } };

describe.each<Dialect>(dialects)('one key on %s', (dialect) => {
  let db: Database;
  let drop: () => Promise<void>;
  let now: Date;
  let attempt: { actor: string; operation: string; key: string; customer: string | null; input: unknown };
  beforeAll(async () => {
    ({ db, drop } = await createTestDatabase(inject('servers'), dialect));
  });
  afterAll(() => drop());
  beforeEach(() => {
    now = new Date('2026-06-01T12:00:00Z');
    attempt = { actor: 'ana', operation: 'a.change', key: newUuid(), customer: null, input: { a: 1, b: 2 } };
  });
  const later = (ms: number) => {
    now = new Date(now.getTime() + ms);
  };
  const runtime = () => ({ db, clock: () => now, log: { info() {}, warn() {}, error() {} } });
  const answer = (reply: unknown) => once(runtime(), attempt, async () => reply);
  /** An attempt that goes on until the test ends it. */
  async function begin() {
    const work = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    const end = once(runtime(), attempt, () => {
      begun.resolve();
      return work.promise;
    });
    await begun.promise;
    return { ...work, end };
  }

  test('gives the first reply for a day, in whatever order the names of the input come', async () => {
    expect(await answer('first')).toBe('first');
    attempt.input = { b: 2, a: 1 };
    later(REPLAY_MS);
    expect(await answer('second')).toBe('first');
    later(1);
    expect(await answer('third')).toBe('third');
  });

  test('is refused with other input, and is another one of another caller and operation', async () => {
    await answer('first');
    await expect(once(runtime(), { ...attempt, input: {} }, async () => 'x')).rejects.toMatchObject(reused);
    expect(await once(runtime(), { ...attempt, actor: 'ben' }, async () => 'ben')).toBe('ben');
    expect(await once(runtime(), { ...attempt, operation: 'b.change' }, async () => 'b')).toBe('b');
  });

  test('a reply that cannot be stored is still the reply, and the key is free for a repeat', async () => {
    const unwritable = Object.defineProperty({}, 'broken', {
      enumerable: true,
      get() {
        throw new Error('cannot be read');
      },
    });
    expect(await answer(unwritable)).toBe(unwritable);
    expect(await answer('repeated')).toBe('repeated');
  });

  test.each(['__proto__', 'constructor', 'prototype'])('a reply with a field %s is replayed whole', async (name) => {
    const reply = JSON.parse(`{"metadata":{"a":{"${name}":{"b":1}}}}`);
    await answer(reply);
    expect(JSON.stringify(await answer('second'))).toBe(JSON.stringify(reply));
  });

  test('is free again after a refusal', async () => {
    const first = await begin();
    await expect(answer('second')).rejects.toMatchObject(inUse);
    first.reject(new Error('refused'));
    await expect(first.end).rejects.toThrow('refused');
    expect(await answer('third')).toBe('third');
  });

  test.each(['reject', 'resolve'] as const)(
    'belongs to whoever took it over, however the first ends: %s',
    async (end) => {
      const first = await begin();
      later(61_000);
      const second = await begin();
      first[end](new Error('too late'));
      await first.end.catch(() => undefined);
      await expect(answer('third')).rejects.toMatchObject(inUse);
      second.resolve('second');
      expect(await second.end).toBe('second');
      expect(await answer('fourth')).toBe('second');
    },
  );
});
