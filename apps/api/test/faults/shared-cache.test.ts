import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { auditBooks } from '@enterprise-access/domain';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { memcachedMissing, type RunningMemcached, startMemcached } from '@enterprise-access/services';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { windowEnd } from '../../src/throttles.ts';
import { demonstration, learnerToken, run } from '../support/harness.ts';
import { type ApiProcess, redeemAt, startApiProcess } from '../support/processes.ts';

const LIMIT = 12;

/** What memcached says to one line of its text protocol. */
const say = (port: number, text: string, isEnd: (answer: string) => boolean): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text));
    socket.on('error', reject);
    socket.on('data', (data) => {
      answer += data;
      if (!isEnd(answer)) return;
      socket.destroy();
      resolve(answer);
    });
  });

/** Keys of all values that are stored at this moment. */
async function keysAt(port: number): Promise<string[]> {
  const dump = await say(port, 'lru_crawler metadump all\r\n', (answer) => answer.endsWith('END\r\n'));
  return [...dump.matchAll(/^key=(\S+)/gm)].map(([, key]) => decodeURIComponent(key ?? ''));
}

describe.skipIf(memcachedMissing())('two API processes with one memcached', () => {
  let folder: string;
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  let sandbox: Sandbox;
  let memcached: RunningMemcached;
  let apis: [ApiProcess, ApiProcess];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shared-cache-test-'));
    [database, sandbox, memcached] = await Promise.all([
      createTestDatabase(inject('servers'), 'postgres', 3),
      startSandbox(),
      startMemcached({ logFile: join(folder, 'memcached.log') }),
    ]);
    await seedDemonstration(database.db);
    const start = () =>
      startApiProcess(database.url, sandbox.url, {
        MEMCACHED_SERVERS: memcached.servers,
        // A busy machine shall not be taken for a dead server.
        MEMCACHED_TIMEOUT_MS: '3000',
        DATABASE_POOL_SIZE: '5',
        LOG_LEVEL: 'error',
      });
    apis = await Promise.all([start(), start()]);
  });
  afterEach(() => {
    sandbox.state.faults.length = 0;
  });
  afterAll(async () => {
    await Promise.all(apis.map((api) => api.stop()));
    await Promise.all([memcached.stop(), sandbox.close(), database.drop()]);
    await rm(folder, { recursive: true, force: true });
  });

  async function canRedeem(api: ApiProcess, learner: number, contentKey = run) {
    const query = `content_key=${encodeURIComponent(contentKey)}`;
    const path = `/api/v1/policy-redemption/enterprise-customer/${demonstration.customer}/can-redeem/?${query}`;
    const reply = await fetch(api.url + path, { headers: { authorization: `JWT ${learnerToken(learner)}` } });
    return { status: reply.status, body: (await reply.json()) as { can_redeem: boolean }[] };
  }
  const fault = async (spec: object) => {
    await fetch(`${sandbox.url}/control/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(spec),
    });
  };
  const asked = async (path: string) => {
    const reply = await fetch(`${sandbox.url}/control/requests?path=${path}`);
    return ((await reply.json()) as { total: number }).total;
  };
  const askedAll = async () => ({
    learner: await asked('/lms/enterprise/api/v1/enterprise-learner/'),
    contains: await asked('/catalog/api/v2/enterprise-catalogs/'),
    content: await asked('/catalog/api/v2/enterprise-customer/'),
  });
  const metric = async (api: ApiProcess, line: string) => {
    const text = await (await fetch(`${api.url}/metrics`)).text();
    const found = text.split('\n').find((each) => each.startsWith(`${line} `));
    return Number(found?.split(' ').at(-1) ?? 0);
  };

  test('a hundred simultaneous misses make one call of each kind', async () => {
    await fetch(`${sandbox.url}/control/requests`, { method: 'DELETE' });
    await fault({ path: '/(lms/enterprise|catalog)', latencyMs: 300 });
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, index) => canRedeem(apis[index % 2 ? 1 : 0], 1100)),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ body }) => body[0]?.can_redeem))).toEqual(new Set([true]));
    expect(await askedAll()).toEqual({ learner: 1, contains: 1, content: 1 });
    const hits = 'enterprise_access_cache_total{outcome="hit"}';
    await canRedeem(apis[0], 1100);
    expect(await metric(apis[0], hits)).toBeGreaterThan(0);
    const misses = await Promise.all(apis.map((api) => metric(api, 'enterprise_access_cache_total{outcome="miss"}')));
    expect(misses.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(3);
  });

  test('corrupted values are replaced, and no request fails', async () => {
    expect((await canRedeem(apis[0], 1101)).status).toBe(200);
    const keys = (await keysAt(memcached.port)).filter((key) => key.startsWith('enterprise-access:'));
    expect(keys.length).toBeGreaterThan(2);
    for (const key of keys) {
      const spoiled = '{"version":1,"until":99999999999999,"value":{"oh":"no"}}';
      await say(memcached.port, `set ${key} 0 600 ${spoiled.length}\r\n${spoiled}\r\n`, (answer) => answer !== '');
    }
    const before = await metric(apis[1], 'enterprise_access_cache_total{outcome="unreadable"}');
    expect(await canRedeem(apis[1], 1101)).toMatchObject({ status: 200, body: [{ can_redeem: true }] });
    expect(await metric(apis[1], 'enterprise_access_cache_total{outcome="unreadable"}')).toBeGreaterThan(before);
  });

  test('a restart of memcached under load fails no request, and the ledger adds up', async () => {
    let isOver = false;
    let learner = 1200;
    const seen: number[] = [];
    const client = async (api: ApiProcess) => {
      while (!isOver) {
        learner += 1;
        const mine = learner;
        seen.push((await canRedeem(api, mine)).status);
        const redeemed = await redeemAt(api.url, demonstration.spendPolicy, learnerToken(mine), {
          lms_user_id: mine,
          content_key: run,
        });
        seen.push(redeemed?.status ?? 0);
      }
    };
    const clients = [...apis, ...apis].map(client);
    const served = (more: number) => {
      const target = seen.length + more;
      return vi.waitFor(() => expect(seen.length).toBeGreaterThan(target), { timeout: 30_000, interval: 10 });
    };
    try {
      for (let round = 0; round < 2; round += 1) {
        await served(20);
        await memcached.stop();
        await served(30);
        memcached = await startMemcached({ logFile: join(folder, `again-${round}.log`), port: memcached.port });
        await served(30);
      }
    } finally {
      isOver = true;
      await Promise.all(clients);
    }
    expect(seen.filter((status) => status !== 200)).toEqual([]);
    expect(await auditBooks(database.db)).toEqual([]);
    // Both found it again.
    await vi.waitFor(
      async () => {
        learner += 1;
        for (const api of apis) await canRedeem(api, learner);
        const keys = await keysAt(memcached.port);
        expect(keys.length).toBeGreaterThan(0);
      },
      { timeout: 20_000, interval: 100 },
    );
    expect(await metric(apis[0], 'enterprise_access_memcached_errors_total{kind="lost"}')).toBeGreaterThan(0);
  });
});

describe.skipIf(memcachedMissing())('throttles of two API processes', () => {
  test('are one, and each is on its own while memcached is down', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'throttle-test-'));
    const database = await createTestDatabase(inject('servers'), 'postgres', 3);
    let memcached = await startMemcached({ logFile: join(folder, 'memcached.log') });
    const start = () =>
      startApiProcess(database.url, 'http://127.0.0.1:1', {
        MEMCACHED_SERVERS: memcached.servers,
        MEMCACHED_TIMEOUT_MS: '3000',
        THROTTLE_ACTOR_PER_MINUTE: String(LIMIT),
        DATABASE_POOL_SIZE: '3',
        LOG_LEVEL: 'error',
      });
    const apis = await Promise.all([start(), start()]);
    /** Somebody whose minute has only begun, so that it does not end during the test. */
    const somebody = (from: number): number => {
      const isEarly = (id: number) => windowEnd(`actor:${id}`, 60_000, Date.now()) - Date.now() > 50_000;
      for (let id = from; ; id += 1) if (isEarly(id)) return id;
    };
    const ask = async (api: ApiProcess, actor: number) => {
      const reply = await fetch(`${api.url}/api/v1/subsidy-access-policies/?enterprise_customer_uuid=none`, {
        headers: { authorization: `JWT ${learnerToken(actor)}` },
      });
      return { status: reply.status, retryAfter: reply.headers.get('retry-after'), body: await reply.json() };
    };
    try {
      const actor = somebody(1_000);
      const replies = [];
      for (let n = 0; n < 2 * LIMIT; n += 1) replies.push(await ask(apis[n % 2] as ApiProcess, actor));
      const refused = replies.filter(({ status }) => status === 429);
      expect(refused).toHaveLength(LIMIT);
      expect(refused).toEqual(replies.slice(LIMIT));
      expect(refused[0]?.body).toMatchObject({ detail: expect.stringMatching(/^Request was throttled/) });
      expect(Number(refused[0]?.retryAfter)).toBeGreaterThan(0);

      await memcached.stop();
      const alone = somebody(actor + 1);
      for (const api of apis) {
        const statuses = [];
        for (let n = 0; n < LIMIT + 2; n += 1) statuses.push((await ask(api, alone)).status);
        expect(statuses.filter((status) => status === 429)).toHaveLength(2);
      }
      memcached = await startMemcached({ logFile: join(folder, 'again.log'), port: memcached.port });
    } finally {
      await Promise.all(apis.map((api) => api.stop()));
      await Promise.all([memcached.stop(), database.drop()]);
      await rm(folder, { recursive: true, force: true });
    }
  });
});
