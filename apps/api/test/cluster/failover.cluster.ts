import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Database, migrate } from '@enterprise-access/db';
import { reconcile } from '@enterprise-access/domain';
import { buildRuntime } from '@enterprise-access/platform';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import { seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { assertTotals } from '../../../../tooling/test/totals.ts';
import { databaseProxy } from '../support/database-proxy.ts';
import { demonstration, learnerToken, operatorToken, run, testEnvironment } from '../support/harness.ts';
import { startApiProcess } from '../support/processes.ts';
import { startGalera } from './galera.ts';
import { redeemAll, type Tally, unexpected } from './load.ts';
import { startPostgresPair } from './postgres-pair.ts';
import { hasGalera, hasPostgres } from './programs.ts';

const PRICE = 14_900;
const CLIENTS = 16;
const LEARNERS = 240;
const FAIL_AFTER = 60;
const PAIRS = Number(process.env.CEILING_PAIRS ?? 1_000);
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

const report = (what: string, { replies, slowestMs }: Tally) =>
  process.stdout.write(
    `${what}: ${JSON.stringify(Object.fromEntries(replies))}, slowest ${Math.round(slowestMs)} ms\n`,
  );

async function prepared(url: string): Promise<Database> {
  const db = connect({ url, poolSize: 4 });
  await migrate(db);
  await seedDemonstration(db);
  return db;
}

async function inFolder() {
  const folder = await mkdtemp(join(tmpdir(), 'ea-cluster-'));
  // The servers run as other users.
  await chmod(folder, 0o755);
  return folder;
}

/** Checks that no acknowledged write is lost and the ledger adds up. */
async function expectExact(url: string, sandbox: Sandbox, { acknowledged }: Tally): Promise<void> {
  const env = testEnvironment({
    DATABASE_URL: url,
    LMS_URL: `${sandbox.url}/lms`,
    ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
    OAUTH2_URL: sandbox.url,
  });
  const runtime = buildRuntime(env, silent, 'http://access.test');
  const { db } = runtime;
  expect((await reconcile(runtime, { olderThanMs: -60_000 })).open).toBe(0);
  const committed: string[] = await db('ledger_transactions').where({ state: 'committed' }).pluck('uuid');
  expect(acknowledged.filter((uuid) => !committed.includes(uuid))).toEqual([]);
  const redeemed = await db('redemptions').where({ state: 'committed' });
  const policy = await db('policies').where({ uuid: demonstration.spendPolicy }).first('spent_cents');
  expect(policy.spent_cents).toBe(redeemed.length * PRICE);
  expect(new Set(acknowledged).size).toBe(redeemed.length);
  await assertTotals(db);
  await runtime.close();
}

const statusOf = async (url: string): Promise<number> => {
  const reply = await fetch(url);
  await reply.text();
  return reply.status;
};

async function redeemOnce(url: string, learner: number) {
  const reply = await fetch(`${url}/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`, {
    method: 'POST',
    headers: { authorization: `JWT ${learnerToken(learner)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ lms_user_id: learner, content_key: run }),
  });
  return { status: reply.status, retryAfter: reply.headers.get('retry-after'), body: await reply.text() };
}

/** No success is promised or reported while the database takes no writes, and callers are told so in bounded time. */
async function expectDeclaredOutage(url: string, learner: number): Promise<void> {
  await vi.waitFor(async () => expect(await statusOf(`${url}/ready`)).toBe(503), { timeout: 60_000, interval: 500 });
  expect(await statusOf(`${url}/live`)).toBe(200);
  expect(await redeemOnce(url, learner)).toMatchObject({ status: 503, retryAfter: '1' });
}

describe.skipIf(!hasGalera)('MariaDB Galera', () => {
  let folder: string;
  let cluster: Awaited<ReturnType<typeof startGalera>>;
  let sandbox: Sandbox;
  let db: Database;
  beforeAll(async () => {
    folder = await inFolder();
    cluster = await startGalera(folder);
    sandbox = await startSandbox();
    db = await prepared(cluster.nodes[0]?.url ?? '');
  }, 300_000);
  afterAll(async () => {
    await db?.destroy();
    await sandbox?.close();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  }, 120_000);
  const urlOf = (index: number) => cluster.nodes[index]?.url ?? '';

  test('two writers: of two spend limits that exclude each other, one is granted', { timeout: 900_000 }, async () => {
    const apis = await Promise.all([1, 2].map((index) => startApiProcess(urlOf(index), sandbox.url)));
    const policies = [demonstration.spendPolicy, demonstration.enrollmentPolicy];
    const setLimit = async (index: number): Promise<number> => {
      const reply = await fetch(`${apis[index]?.url}/api/v1/subsidy-access-policies/${policies[index]}/`, {
        method: 'PATCH',
        headers: { authorization: `JWT ${operatorToken()}`, 'content-type': 'application/json' },
        body: JSON.stringify({ spend_limit: 80_000_000 }),
      });
      await reply.text();
      return reply.status;
    };
    const others = [1, 2].map((index) => connect({ url: urlOf(index), poolSize: 1 }));
    for (const other of others) await other.raw('set session wsrep_sync_wait = 1');
    const outcomes = new Map<string, number>();
    for (let pair = 0; pair < PAIRS; pair += 1) {
      await db('policies').whereIn('uuid', policies).update({ spend_limit_cents: 1_000 });
      for (const other of others) await other('policies').first('uuid');
      const outcome = (await Promise.all([setLimit(0), setLimit(1)])).sort().join(' and ');
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    process.stdout.write(`${PAIRS} pairs of ceilings: ${JSON.stringify(Object.fromEntries(outcomes))}\n`);
    expect([...outcomes.keys()].filter((outcome) => outcome === '200 and 200' || outcome.includes('500'))).toEqual([]);
    await db('policies').whereIn('uuid', policies).update({ spend_limit_cents: null });
    await Promise.all([...others.map((other) => other.destroy()), ...apis.map((api) => api.stop())]);
  });

  test('two writers, one hot policy, 24 clients: no failure, and the limit is met exactly', {
    timeout: 300_000,
  }, async () => {
    await db('policies')
      .where({ uuid: demonstration.spendPolicy })
      .update({ spend_limit_cents: 200 * PRICE });
    const apis = await Promise.all([1, 2].map((index) => startApiProcess(urlOf(index), sandbox.url)));
    const tally = await redeemAll(
      apis.map(({ url }) => url),
      { learners: 300, clients: 24 },
    );
    report('hot policy over two nodes', tally);
    expect(unexpected(tally)).toEqual([]);
    expect(tally.acknowledged).toHaveLength(200);
    await expectExact(urlOf(0), sandbox, tally);
    await Promise.all(apis.map((api) => api.stop()));
  });

  test('two writers that allocate in one configuration at once: one of them has to look again', async () => {
    const nodes = [1, 2].map((index) => connect({ url: urlOf(index), poolSize: 1 }));
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const bothHold = Promise.all([first.promise, second.promise]);
    const ends = await Promise.allSettled(
      nodes.map((node, index) =>
        node.transaction(async (trx) => {
          const { assignmentConfiguration: uuid } = demonstration;
          await trx('assignment_configurations').where({ uuid }).increment('holds');
          (index === 0 ? first : second).resolve();
          await bothHold;
        }),
      ),
    );
    const lost = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
    expect(lost).toMatchObject([{ code: 'ER_LOCK_DEADLOCK' }]);
    await Promise.all(nodes.map((node) => node.destroy()));
  });

  test('the writer is killed under load: nothing is lost', { timeout: 300_000 }, async () => {
    const before = await db('ledger_transactions')
      .where({ state: 'committed' })
      .whereNotNull('lms_user_id')
      .pluck('uuid');
    await db('policies').where({ uuid: demonstration.spendPolicy }).update({ spend_limit_cents: null });
    const proxy = await databaseProxy(urlOf(0), urlOf(1), urlOf(2));
    const api = await startApiProcess(proxy.url, sandbox.url);
    const tally = await redeemAll([api.url], {
      learners: LEARNERS + 300,
      clients: CLIENTS,
      onReply: (count) => {
        if (count === 300 + FAIL_AFTER) void cluster.nodes[0]?.kill();
      },
    });
    report('Galera writer killed', tally);
    expect(unexpected(tally)).toEqual([]);
    expect(tally.replies.get('200')).toBe(LEARNERS + 300);
    expect(tally.acknowledged).toEqual(expect.arrayContaining(before));
    for (const index of [1, 2]) await expectExact(urlOf(index), sandbox, tally);
    await api.stop();
    await proxy.close();
  });

  test('a node without majority is not ready, and its replies say so', { timeout: 300_000 }, async () => {
    const api = await startApiProcess(urlOf(2), sandbox.url);
    expect(await statusOf(`${api.url}/ready`)).toBe(200);
    await cluster.nodes[1]?.kill();
    await expectDeclaredOutage(api.url, 1_990);
    await api.stop();
  });
});

describe.skipIf(!hasPostgres)('PostgreSQL with a synchronous replica', () => {
  test('the primary is killed under load and the replica promoted: nothing is lost', { timeout: 300_000 }, async () => {
    const folder = await inFolder();
    const pair = await startPostgresPair(folder);
    const sandbox = await startSandbox();
    await (await prepared(pair.urls[0])).destroy();
    const proxy = await databaseProxy(...pair.urls);
    const api = await startApiProcess(proxy.url, sandbox.url);
    let failover: Promise<void> | undefined;
    const tally = await redeemAll([api.url], {
      learners: LEARNERS,
      clients: CLIENTS,
      onReply: (count) => {
        if (count === FAIL_AFTER) failover = pair.failOver();
      },
    });
    await failover;
    report('PostgreSQL primary killed', tally);
    expect(unexpected(tally)).toEqual([]);
    expect(tally.replies.get('200')).toBe(LEARNERS);
    await expectExact(pair.urls[1], sandbox, tally);
    await api.stop();
    await proxy.close();
    await sandbox.close();
    await pair.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('a primary whose only replica died: what waits at COMMIT gets 503, and later one charge', {
    timeout: 300_000,
  }, async () => {
    const folder = await inFolder();
    const pair = await startPostgresPair(folder);
    const sandbox = await startSandbox();
    const db = await prepared(pair.urls[0]);
    const api = await startApiProcess(pair.urls[0], sandbox.url, { DATABASE_STATEMENT_TIMEOUT_MS: '2000' });
    expect((await redeemOnce(api.url, 1_000)).status).toBe(200);
    await pair.killReplica();
    await expectDeclaredOutage(api.url, 1_001);
    await pair.goOnAlone();
    await vi.waitFor(async () => expect((await redeemOnce(api.url, 1_001)).status).toBe(200), {
      timeout: 60_000,
      interval: 500,
    });
    await vi.waitFor(async () => expect(await statusOf(`${api.url}/ready`)).toBe(200), { timeout: 30_000 });
    expect(await db('redemptions').where({ lms_user_id: 1_001 }).pluck('state')).toEqual(['committed']);
    await assertTotals(db);
    await api.stop();
    await db.destroy();
    await sandbox.close();
    await pair.stop();
    await rm(folder, { recursive: true, force: true });
  });
});
