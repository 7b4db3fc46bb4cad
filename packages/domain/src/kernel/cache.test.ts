import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { processCache } from './cache.ts';

const HOUR = 3_600_000;
const forAnHour = () => HOUR;

describe('the cache saves calls and never lies', () => {
  test('simultaneous misses of one key make one call', async () => {
    const cache = processCache();
    const load = vi.fn(async () => {
      await sleep(5);
      return { value: 1 };
    });
    const found = await Promise.all(Array.from({ length: 20 }, () => cache.wrap('a', forAnHour, load)));
    expect(load).toHaveBeenCalledTimes(1);
    expect(new Set(found).size).toBe(1);
    await cache.wrap('a', forAnHour, load);
    expect(load).toHaveBeenCalledTimes(1);
  });

  test('other keys have their own calls', async () => {
    const cache = processCache();
    expect(await Promise.all(['a', 'b'].map((key) => cache.wrap(key, forAnHour, async () => key)))).toEqual(['a', 'b']);
  });

  test('a failure reaches all who wait and is not kept', async () => {
    const cache = processCache();
    const load = vi.fn().mockRejectedValueOnce(new Error('down')).mockResolvedValue('up');
    const waiting = await Promise.allSettled([cache.wrap('a', forAnHour, load), cache.wrap('a', forAnHour, load)]);
    expect(waiting.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await cache.wrap('a', forAnHour, load)).toBe('up');
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('nothing found is kept for its own, shorter time', async () => {
    const cache = processCache();
    const ttl = (found: string | null) => (found === null ? 10 : HOUR);
    const load = vi.fn<() => Promise<string | null>>().mockResolvedValueOnce(null).mockResolvedValue('here');
    expect(await cache.wrap('a', ttl, load)).toBeNull();
    await sleep(30);
    expect(await cache.wrap('a', ttl, load)).toBe('here');
    await sleep(30);
    await cache.wrap('a', ttl, load);
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('null and undefined are values too', async () => {
    const cache = processCache();
    const load = vi.fn(async () => undefined);
    await cache.wrap('a', forAnHour, load);
    await cache.wrap('a', forAnHour, load);
    expect(load).toHaveBeenCalledTimes(1);
  });

  test('a time of zero keeps nothing', async () => {
    const cache = processCache();
    const load = vi.fn(async () => 1);
    await cache.wrap('a', () => 0, load);
    await cache.wrap('a', () => 0, load);
    expect(load).toHaveBeenCalledTimes(2);
  });

  test('what was forgotten on its way is found by nobody later', async () => {
    const cache = processCache();
    const old = cache.wrap('a', forAnHour, async () => {
      await sleep(10);
      return 'old';
    });
    cache.forget('a');
    expect(await cache.wrap('a', forAnHour, async () => 'new')).toBe('new');
    expect(await old).toBe('old');
    expect(await cache.wrap('a', forAnHour, async () => 'newer')).toBe('new');
  });
});
