import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memcachedMissing, startMemcached, startProxy } from '@enterprise-access/services';
import { useService } from '@enterprise-access/services/testing';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { newUuid } from '../ids.ts';
import { memcachedTroubled } from '../telemetry.ts';
import { memcached, type SharedStore, SharedStoreUnavailable } from './memcached.ts';

const services = inject('services');
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const opened: SharedStore[] = [];
/** Generous, so that a busy machine is not taken for a dead server. */
const PATIENT_MS = 2_000;

function open(servers: readonly string[], timeoutMs = PATIENT_MS): SharedStore {
  const store = memcached({ servers, timeoutMs, log });
  opened.push(store);
  return store;
}
const troubles: string[] = [];
memcachedTroubled.subscribe(({ kind }) => troubles.push(kind));
afterEach(() => {
  troubles.length = 0;
  for (const store of opened.splice(0)) store.close();
});

const answers = (store: SharedStore) =>
  vi.waitFor(async () => expect(await store.get('nothing')).toBeNull(), { timeout: 15_000, interval: 20 });

describe.skipIf(services.missing.memcached)('memcached as the store of all processes', () => {
  let server: string;
  beforeAll(async () => {
    server = await useService(services, 'memcached');
  });

  test('what one process stores another finds, until it is deleted', async () => {
    const [one, other] = [open([server]), open([server])];
    const key = newUuid();
    expect(await other.get(key)).toBeNull();
    await one.set(key, 'wörd', 60_000);
    expect(await other.get(key)).toBe('wörd');
    expect(await other.add(key, 'second', 60_000)).toBe(false);
    await other.delete(key);
    await other.delete(key);
    expect(await one.get(key)).toBeNull();
    expect(await one.add(key, 'second', 60_000)).toBe(true);
  });

  test('counters add up', async () => {
    const [one, other] = [open([server]), open([server])];
    const key = newUuid();
    const totals = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (index % 2 ? one : other).increment(key, 2, 60_000)),
    );
    expect(Math.max(...totals)).toBe(100);
    expect(new Set(totals).size).toBe(50);
  });

  test('a counter that many start at one moment counts all of them', async () => {
    const stores = Array.from({ length: 6 }, () => open([server]));
    await Promise.all(stores.map((store) => store.get('nothing')));
    for (let round = 0; round < 20; round += 1) {
      const key = newUuid();
      const totals = await Promise.all(stores.map((store) => store.increment(key, 1, 60_000)));
      expect(totals.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });

  test('a time below a second is rounded up, never to for ever', async () => {
    const store = open([server]);
    const key = newUuid();
    await store.set(key, 'brief', 1);
    await vi.waitFor(async () => expect(await store.get(key)).toBeNull(), { timeout: 5_000, interval: 50 });
  });

  test('what the server refuses is no reason to leave it', async () => {
    const store = open([server]);
    const key = newUuid();
    await expect(store.set(key, 'x'.repeat(2_000_000), 60_000)).rejects.toThrow(SharedStoreUnavailable);
    await store.set(key, 'no number', 60_000);
    await expect(store.increment(key, 1, 60_000)).rejects.toThrow(SharedStoreUnavailable);
    expect(await store.get(key)).toBe('no number');
    expect(troubles).toEqual(['failed', 'failed']);
  });

  describe('behind a network that fails', () => {
    let proxy: Awaited<ReturnType<typeof startProxy>>;
    beforeAll(async () => {
      proxy = await startProxy(Number(server.split(':')[1]));
    });
    afterEach(() => proxy.heal());
    afterAll(() => proxy.stop());

    test('a server that does not answer fails all pending commands, later commands fail immediately, and its return is detected', async () => {
      const store = open([proxy.address], 300);
      await answers(store);
      proxy.hang();
      const waiting = await Promise.allSettled(Array.from({ length: 20 }, () => store.get('a')));
      expect(waiting.map(({ status }) => status)).not.toContain('fulfilled');
      expect(troubles.filter((kind) => kind === 'lost')).toHaveLength(1);

      // No timer runs, so no time passes: these are refused at once.
      vi.useFakeTimers();
      try {
        for (let n = 0; n < 100; n += 1) await expect(store.get('a')).rejects.toThrow(SharedStoreUnavailable);
      } finally {
        vi.useRealTimers();
      }
      const returned = new Promise<void>((resolve) => store.onReturn(resolve));
      proxy.heal();
      await returned;
      expect(await store.get('nothing')).toBeNull();
    });

    test('half a reply is not completed by the bytes of the next', async () => {
      const store = open([proxy.address]);
      const [first, second] = [newUuid(), newUuid()];
      await store.set(first, 'first '.repeat(100), 60_000);
      await store.set(second, 'second', 60_000);
      proxy.cutAfter(100);
      await expect(store.get(first)).rejects.toThrow(SharedStoreUnavailable);
      await answers(store);
      for (let n = 0; n < 5; n += 1) expect(await store.get(second)).toBe('second');
      expect(await store.get(first)).toBe('first '.repeat(100));
    });

    test('an idle connection that is closed is replaced without an error', async () => {
      const store = open([proxy.address]);
      const key = newUuid();
      await store.set(key, 'kept', 60_000);
      const before = proxy.connections();
      for (let n = 1; n <= 3; n += 1) {
        proxy.heal();
        // Until the end of the connection has been read.
        await vi.waitFor(async () => expect(await store.get(key)).toBe('kept'), { timeout: 5_000, interval: 20 });
      }
      expect(proxy.connections()).toBeGreaterThan(before);
    });
  });
});

describe.skipIf(memcachedMissing())('a memcached that is stopped', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'memcached-test-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('is detected as lost and found when it is back, also if it was never up', async () => {
    const first = await startMemcached({ logFile: join(folder, 'first.log') });
    const store = open([first.servers]);
    await store.set('a', '1', 60_000);
    await first.stop();
    await expect(store.get('a')).rejects.toThrow(SharedStoreUnavailable);
    const stranger = open([first.servers]);
    await expect(stranger.get('a')).rejects.toThrow(SharedStoreUnavailable);
    const again = await startMemcached({ logFile: join(folder, 'again.log'), port: first.port });
    try {
      await Promise.all([answers(store), answers(stranger)]);
      expect(await store.get('a')).toBeNull();
    } finally {
      await again.stop();
    }
  });

  test('takes only its own keys with it', async () => {
    const servers = await Promise.all(['x', 'y', 'z'].map((name) => startMemcached({ logFile: join(folder, name) })));
    try {
      const store = open(servers.map((server) => server.servers));
      const keys = Array.from({ length: 60 }, () => newUuid());
      await Promise.all(keys.map((key) => store.set(key, key, 60_000)));
      await servers[0]?.stop();
      const found = await Promise.allSettled(keys.map((key) => store.get(key)));
      const values = found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(values.length).toBeGreaterThan(20);
      expect(values.length).toBeLessThan(60);
      expect(values).not.toContain(null);
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
});

test('without a server everything is refused', async () => {
  await expect(open([]).get('a')).rejects.toThrow(SharedStoreUnavailable);
});
