import { memcached, newUuid, type SharedStore } from '@enterprise-access/domain';
import { startProxy } from '@enterprise-access/services';
import { useService } from '@enterprise-access/services/testing';
import { afterEach, describe, expect, inject, test, vi } from 'vitest';
import { throttleCounter, windowEnd } from '../../src/throttles.ts';

const services = inject('services');
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const MINUTE = 60_000;
const START = Date.parse('2026-06-01T12:00:00Z');

const opened: SharedStore[] = [];
function open(address: string, timeoutMs = 5_000): SharedStore {
  const store = memcached({ servers: [address], timeoutMs, log });
  opened.push(store);
  return store;
}
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});

test('a process without a store counts each caller’s requests, window by window', async () => {
  let now = START;
  const count = throttleCounter(null, () => new Date(now));
  const caller = newUuid();
  const first = await count(caller, MINUTE, 10);
  expect(first.current).toBe(1);
  expect(first.ttl).toBe(windowEnd(caller, MINUTE, START) - START);
  now += first.ttl - 1;
  expect(await count(caller, MINUTE, 10)).toEqual({ current: 2, ttl: 1 });
  expect((await count(newUuid(), MINUTE, 10)).current).toBe(1);
  now += 1;
  expect(await count(caller, MINUTE, 10)).toEqual({ current: 1, ttl: MINUTE });
});

test('windows of callers do not end together, and follow the clock', () => {
  const ends = Array.from({ length: 50 }, (_, n) => windowEnd(`actor:${n}`, MINUTE, START));
  expect(new Set(ends).size).toBeGreaterThan(40);
  for (const end of ends) {
    expect(end).toBeGreaterThan(START);
    expect(end).toBeLessThanOrEqual(START + MINUTE);
  }
  expect(windowEnd('a', MINUTE, windowEnd('a', MINUTE, START) - 1)).toBe(windowEnd('a', MINUTE, START));
});

describe.skipIf(services.missing.memcached)('processes that share a store', () => {
  const clock = () => new Date(START);
  const together = async (count: number) => {
    const address = await useService(services, 'memcached');
    return Array.from({ length: count }, () => throttleCounter(open(address), clock));
  };

  test('count a small number of requests exactly, in whatever order they come', async () => {
    const counters = await together(3);
    const caller = newUuid();
    const counts = await Promise.all(Array.from({ length: 60 }, (_, n) => counters[n % 3]?.(caller, MINUTE, 20)));
    expect(counts.filter((count) => count && count.current <= 20)).toHaveLength(20);
  });

  test('let through little more than the limit of a busy caller, for few round trips', async () => {
    const address = await useService(services, 'memcached');
    let told = 0;
    const stores = [open(address), open(address)].map((store) => ({
      ...store,
      increment(...args: Parameters<SharedStore['increment']>) {
        told += 1;
        return store.increment(...args);
      },
    }));
    const counters = stores.map((store) => throttleCounter(store, clock));
    const caller = newUuid();
    let passed = 0;
    for (let n = 0; n < 1_500; n += 1) {
      const counted = await counters[n % 2]?.(caller, MINUTE, 1_000);
      if (counted && counted.current <= 1_000) passed += 1;
    }
    expect(passed).toBeGreaterThanOrEqual(1_000);
    expect(passed).toBeLessThanOrEqual(1_010);
    // Two hundred near the limit, and one for every ten before.
    expect(told).toBeLessThan(350);
  });

  test('after a pause the next request reads the shared counter', async () => {
    let now = START;
    const address = await useService(services, 'memcached');
    const [one, other] = [open(address), open(address)].map((store) => throttleCounter(store, () => new Date(now)));
    const caller = newUuid();
    await one?.(caller, MINUTE, 1_000);
    for (let n = 0; n < 50; n += 1) await other?.(caller, MINUTE, 1_000);
    now += 100;
    await other?.(caller, MINUTE, 1_000);
    expect((await one?.(caller, MINUTE, 1_000))?.current).toBe(53);
  });

  test('count locally while the store does not answer, and together again afterwards', async () => {
    const address = await useService(services, 'memcached');
    const proxy = await startProxy(Number(address.split(':')[1]));
    try {
      const store = open(proxy.address, 200);
      const cutOff = throttleCounter(store, clock);
      const other = throttleCounter(open(address), clock);
      const caller = newUuid();
      for (let n = 0; n < 3; n += 1) await cutOff(caller, MINUTE, 10);
      proxy.hang();
      const returned = new Promise<void>((resolve) => store.onReturn(resolve));
      const alone = [];
      for (let n = 0; n < 8; n += 1) alone.push((await cutOff(caller, MINUTE, 10)).current);
      expect(alone).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
      proxy.heal();
      await returned;
      const second = newUuid();
      await other(second, MINUTE, 10);
      await vi.waitFor(async () => expect((await cutOff(second, MINUTE, 10)).current).toBeGreaterThan(1));
    } finally {
      proxy.stop();
    }
  });
});
