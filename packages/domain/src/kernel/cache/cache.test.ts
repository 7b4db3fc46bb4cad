import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { type CacheKind, processCache } from './cache.ts';

const HOUR = 3_600_000;

/** Any value, for as long as the test says. */
const kept = <T>(ttlMs: (value: T) => number): CacheKind<T> => ({ name: 'test', version: 1, ttlMs });
const forAnHour = kept<unknown>(() => HOUR);

describe('the cache saves calls and never lies', () => {
  test('simultaneous misses of one key make one call', async () => {
    const cache = processCache();
    const load = vi.fn(async () => {
      await sleep(5);
      return { value: 1 };
    });
    const found = await Promise.all(Array.from({ length: 20 }, () => cache.wrap(forAnHour, 'a', load)));
    expect(load).toHaveBeenCalledTimes(1);
    expect(new Set(found).size).toBe(1);
    await cache.wrap(forAnHour, 'a', load);
    expect(load).toHaveBeenCalledTimes(1);
  });

  test('other keys have their own calls', async () => {
    const cache = processCache();
    expect(await Promise.all(['a', 'b'].map((key) => cache.wrap(forAnHour, key, async () => key)))).toEqual(['a', 'b']);
  });

  test('a failure rejects all waiting callers and is not cached', async () => {
    const cache = processCache();
    const load = vi.fn().mockRejectedValueOnce(new Error('down')).mockResolvedValue('up');
    const waiting = await Promise.allSettled([cache.wrap(forAnHour, 'a', load), cache.wrap(forAnHour, 'a', load)]);
    expect(waiting.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await cache.wrap(forAnHour, 'a', load)).toBe('up');
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('nothing found is kept for its own, shorter time', async () => {
    const cache = processCache();
    const kind = kept<string | null>((found) => (found === null ? 10 : HOUR));
    const load = vi.fn<() => Promise<string | null>>().mockResolvedValueOnce(null).mockResolvedValue('here');
    expect(await cache.wrap(kind, 'a', load)).toBeNull();
    await sleep(30);
    expect(await cache.wrap(kind, 'a', load)).toBe('here');
    await sleep(30);
    await cache.wrap(kind, 'a', load);
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('null and undefined are values too', async () => {
    const cache = processCache();
    const load = vi.fn(async () => undefined);
    await cache.wrap(forAnHour, 'a', load);
    await cache.wrap(forAnHour, 'a', load);
    expect(load).toHaveBeenCalledTimes(1);
  });

  test('a time of zero keeps nothing', async () => {
    const cache = processCache();
    const load = vi.fn(async () => 1);
    await cache.wrap(
      kept<number>(() => 0),
      'a',
      load,
    );
    await cache.wrap(
      kept<number>(() => 0),
      'a',
      load,
    );
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('a load that was invalidated meanwhile is not cached', async () => {
    const cache = processCache();
    const old = cache.wrap(forAnHour, 'a', async () => {
      await sleep(10);
      return 'old';
    });
    cache.forget(forAnHour, 'a');
    expect(await cache.wrap(forAnHour, 'a', async () => 'new')).toBe('new');
    expect(await old).toBe('old');
    expect(await cache.wrap(forAnHour, 'a', async () => 'newer')).toBe('new');
  });
});
