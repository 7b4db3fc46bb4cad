import { setTimeout as sleep } from 'node:timers/promises';
import { startProxy } from '@enterprise-access/services';
import { useService } from '@enterprise-access/services/testing';
import { afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { newUuid } from '../ids.ts';
import { cacheLookup } from '../telemetry.ts';
import type { Cache, CacheKind } from './cache.ts';
import { memcached, type SharedStore } from './memcached.ts';
import { instantText, numbersByNumber } from './shapes.ts';
import { sharedCache } from './shared-cache.ts';

const services = inject('services');
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const HOUR = 3_600_000;

const numberKind: CacheKind<number | null> = {
  name: 'test:number',
  version: 2,
  shape: z.number().nullable(),
  ttlMs: (value) => (value === null ? 300 : HOUR),
};

/** What a process would have: a cache over its own connection, and the keys that it asked for. */
interface Process {
  readonly cache: Cache;
  readonly store: SharedStore;
  readonly keys: Set<string>;
}

describe.skipIf(services.missing.memcached)('a cache that processes share', () => {
  let server: string;
  const opened: SharedStore[] = [];
  beforeAll(async () => {
    server = await useService(services, 'memcached');
  });
  const outcomes: string[] = [];
  cacheLookup.subscribe(({ outcome }) => outcomes.push(outcome));
  afterEach(() => {
    outcomes.length = 0;
    for (const store of opened.splice(0)) store.close();
  });

  function startProcess(stamp: string, options: { address?: string; timeoutMs?: number } = {}): Process {
    // Generous, so that a busy machine is not taken for a dead server.
    const { address = server, timeoutMs = 5_000 } = options;
    const store = memcached({ servers: [address], timeoutMs, log });
    opened.push(store);
    const keys = new Set<string>();
    const watched: SharedStore = {
      ...store,
      get(key) {
        keys.add(key);
        return store.get(key);
      },
    };
    return { cache: sharedCache({ store: watched, stamp }), store, keys };
  }
  /** Processes with nothing in common with those of other tests. */
  const startProcesses = (count: number): Process[] => {
    const stamp = newUuid();
    return Array.from({ length: count }, () => startProcess(stamp));
  };
  /** Under which the first value is stored that a process asked for. */
  const valueKey = ({ keys }: Process) => [...keys].find((key) => !key.endsWith('#lease')) ?? '';
  const leaseKey = (one: Process) => `${valueKey(one)}#lease`;
  const never = () => Promise.reject(new Error('This should not be loaded.'));

  test('a hundred simultaneous misses in three processes make one call', async () => {
    const processes = startProcesses(3);
    const load = vi.fn(async () => {
      await sleep(150);
      return 7;
    });
    const found = await Promise.all(
      Array.from({ length: 99 }, (_, index) => processes[index % 3]?.cache.wrap(numberKind, 'a', load)),
    );
    expect(load).toHaveBeenCalledTimes(1);
    expect(new Set(found)).toEqual(new Set([7]));
    expect(outcomes.filter((outcome) => outcome === 'miss')).toHaveLength(1);
    expect(outcomes).toHaveLength(99);
  });

  test('a call that takes longer than a lease is still one call', async () => {
    const [one, other] = startProcesses(2);
    const load = vi.fn(async () => {
      await sleep(3_000);
      return 7;
    });
    const found = await Promise.all([one, other].map((each) => each?.cache.wrap(numberKind, 'a', load)));
    expect(found).toEqual([7, 7]);
    expect(load).toHaveBeenCalledTimes(1);
  });

  test('what a dead process was loading is loaded by the next, however long its lease', async () => {
    const [dead, one, other] = startProcesses(3) as [Process, Process, Process];
    await dead.cache.wrap(numberKind, 'a', async () => 1);
    await dead.store.delete(valueKey(dead));
    await dead.store.set(leaseKey(dead), 'somebody who died', HOUR);
    expect(await one.cache.wrap(numberKind, 'a', async () => 2)).toBe(2);
    expect(await dead.store.get(leaseKey(dead))).toBeNull();
    expect(await other.cache.wrap(numberKind, 'a', never)).toBe(2);
  });

  test('a failed call is not shared, and the next call is made immediately', async () => {
    const [one, other] = startProcesses(2) as [Process, Process];
    const failing = vi.fn(async () => {
      await sleep(100);
      throw new Error('down');
    });
    const failed = await Promise.allSettled([one, other].map(({ cache }) => cache.wrap(numberKind, 'a', failing)));
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await other.cache.wrap(numberKind, 'a', async () => 3)).toBe(3);
    expect(await one.cache.wrap(numberKind, 'a', never)).toBe(3);
  });

  test('times and maps are restored', async () => {
    const [one, other] = startProcesses(2) as [Process, Process];
    const kind = {
      name: 'test:shapes',
      version: 1,
      shape: z.object({ at: instantText.nullable(), counts: numbersByNumber }),
      ttlMs: () => HOUR,
    };
    const value = { at: new Date('2026-01-02T03:04:05.678Z'), counts: new Map([[1, 2]]) };
    await one.cache.wrap(kind, 'a', async () => value);
    const found = await other.cache.wrap(kind, 'a', never);
    expect(found).toEqual(value);
    expect(found.at).toBeInstanceOf(Date);
  });

  test.each([
    ['not JSON', 'rubbish'],
    ['empty', ''],
    ['binary', '\u0000\uffff'],
    ['JSON of something else', '[1]'],
    ['without a value', JSON.stringify({ version: 2, until: Date.now() + HOUR })],
    ['of another shape', JSON.stringify({ version: 2, until: Date.now() + HOUR, value: { a: 1 } })],
    ['of another version', JSON.stringify({ version: 1, until: Date.now() + HOUR, value: 9 })],
    ['too old', JSON.stringify({ version: 2, until: Date.now() - 1, value: 9 })],
  ])('a value that is %s is ignored and replaced', async (_what, text) => {
    const [one, other, third] = startProcesses(3) as [Process, Process, Process];
    await one.cache.wrap(numberKind, 'a', async () => 1);
    await one.store.set(valueKey(one), text, HOUR);
    expect(await other.cache.wrap(numberKind, 'a', async () => 2)).toBe(2);
    expect(await third.cache.wrap(numberKind, 'a', never)).toBe(2);
  });

  test('another version or stamp never finds the value', async () => {
    const [one] = startProcesses(1) as [Process];
    await one.cache.wrap(numberKind, 'a', async () => 1);
    expect(await one.cache.wrap({ ...numberKind, version: 3 }, 'a', async () => 3)).toBe(3);
    expect(await startProcess(newUuid()).cache.wrap(numberKind, 'a', async () => 4)).toBe(4);
  });

  test('nothing found is shared too, for its own short time', async () => {
    const [one, other] = startProcesses(2) as [Process, Process];
    await one.cache.wrap(numberKind, 'a', async () => null);
    expect(await other.cache.wrap(numberKind, 'a', never)).toBeNull();
    for (const { cache } of [one, other]) {
      await vi.waitFor(async () => expect(await cache.wrap(numberKind, 'a', async () => 5)).toBe(5), {
        timeout: 10_000,
        interval: 50,
      });
    }
  });

  test('a value that one process invalidates is loaded again by the others', async () => {
    const stamp = newUuid();
    const [one, other] = [startProcess(stamp), startProcess(stamp)];
    await one.cache.wrap(numberKind, 'a', async () => 1);
    other.cache.forget(numberKind, 'a');
    await vi.waitFor(async () => expect(await one.store.get(valueKey(one))).toBe('forgotten'));
    expect(await startProcess(stamp).cache.wrap(numberKind, 'a', async () => 2)).toBe(2);
  });

  test('a load that was invalidated meanwhile is cached by no process', async () => {
    const [one, other] = startProcesses(2) as [Process, Process];
    let arrive: (value: number) => void = () => undefined;
    const slow = one.cache.wrap(numberKind, 'a', () => new Promise<number>((resolve) => (arrive = resolve)));
    await vi.waitFor(async () => expect(await one.store.get(leaseKey(one))).not.toBeNull());
    other.cache.forget(numberKind, 'a');
    await vi.waitFor(async () => expect(await one.store.get(valueKey(one))).toBe('forgotten'));
    arrive(1);
    expect(await slow).toBe(1);
    expect(await one.cache.wrap(numberKind, 'a', async () => 2)).toBe(2);
    expect(await other.cache.wrap(numberKind, 'a', async () => 3)).toBe(3);
  });

  test('ids may be long and odd', async () => {
    const [one, other] = startProcesses(2) as [Process, Process];
    const id = `course-v1:é X\r\n+${'y'.repeat(1_000)}`;
    await one.cache.wrap(numberKind, id, async () => 1);
    expect(await other.cache.wrap(numberKind, id, never)).toBe(1);
    expect(await other.cache.wrap(numberKind, `${id}y`, async () => 2)).toBe(2);
  });

  test('a kind without a shape stays in its process', async () => {
    const [one, other] = startProcesses(2) as [Process, Process];
    const kind = { name: 'test:own', version: 1, ttlMs: () => HOUR };
    await one.cache.wrap(kind, 'a', async () => 1);
    expect(await one.cache.wrap(kind, 'a', never)).toBe(1);
    expect(await other.cache.wrap(kind, 'a', async () => 2)).toBe(2);
    expect(one.keys.size).toBe(0);
  });

  test('while the store does not answer, values are loaded; invalidations of that time take effect afterwards', async () => {
    const proxy = await startProxy(Number(server.split(':')[1]));
    try {
      const stamp = newUuid();
      const [cutOff, other] = [startProcess(stamp, { address: proxy.address, timeoutMs: 200 }), startProcess(stamp)];
      await other.cache.wrap(numberKind, 'a', async () => 1);
      await other.cache.wrap(numberKind, 'b', async () => 1);
      proxy.hang();
      expect(await cutOff.cache.wrap(numberKind, 'b', async () => 2)).toBe(2);
      // Kept in the process, at least.
      expect(await cutOff.cache.wrap(numberKind, 'b', never)).toBe(2);
      cutOff.cache.forget(numberKind, 'a');
      proxy.heal();
      await vi.waitFor(async () => expect(await other.store.get(valueKey(other))).toBe('forgotten'), {
        timeout: 15_000,
        interval: 20,
      });
    } finally {
      proxy.stop();
    }
  });
});
