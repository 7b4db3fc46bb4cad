import { setTimeout as sleep } from 'node:timers/promises';
import { type AppRouter, newUuid } from '@enterprise-access/domain';
import { createTRPCClient, httpSubscriptionLink, type TRPCClientError } from '@trpc/client';
import { EventSource } from 'eventsource';
import superjson from 'superjson';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { buildApp } from '../../src/app.ts';
import {
  demonstration,
  dialects,
  learnerToken,
  operatorToken,
  startApp,
  testEnvironment,
  tokenFor,
} from '../support/harness.ts';

type World = Awaited<ReturnType<typeof startApp>>;
const adminToken = () => tokenFor('enterprise_admin', demonstration.customer, 900);
const UNTIL = { timeout: 15_000, interval: 10 };

/** A caller over the network, with the client that front ends use. */
function clientOf(url: string, token: string | null) {
  return createTRPCClient<AppRouter>({
    links: [
      httpSubscriptionLink({
        url: `${url}/trpc`,
        transformer: superjson,
        EventSource,
        eventSourceOptions: {
          fetch: (input, init) =>
            fetch(input, {
              ...init,
              headers: { ...init.headers, ...(token === null ? {} : { authorization: `JWT ${token}` }) },
            }),
        },
      }),
    ],
  });
}

type Told = { id: string; data: { state: string; done: number; total: number | null; result: unknown } };

/** Follows a job and keeps what is told. */
function follow(url: string, uuid: string, token: string | null = adminToken(), lastEventId?: string) {
  const told: Told[] = [];
  const outcome: { completed: boolean; error: TRPCClientError<AppRouter> | null } = { completed: false, error: null };
  const subscription = clientOf(url, token).jobs.progress.subscribe(
    { uuid, ...(lastEventId === undefined ? {} : { lastEventId }) },
    {
      onData: (answer) => void told.push(answer),
      onComplete: () => {
        outcome.completed = true;
      },
      onError: (error) => {
        outcome.error = error as TRPCClientError<AppRouter>;
      },
    },
  );
  return { told, outcome, leave: () => subscription.unsubscribe() };
}

describe.each(dialects)('following a job on %s', (dialect) => {
  let world: World;
  let url: string;
  beforeEach(async () => {
    world = await startApp(dialect, { poolSize: 1 });
    url = await world.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(() => world.stop());

  const newRun = async (change: object = {}): Promise<string> => {
    const uuid = newUuid();
    const now = new Date('2026-06-01T12:00:00.000Z');
    const row = { uuid, name: 'test.long', enterprise_customer_uuid: demonstration.customer, state: 'waiting' };
    await world.db('job_runs').insert({ ...row, created: now, modified: now, ...change });
    return uuid;
  };
  const report = (uuid: string, change: object) => world.db('job_runs').where({ uuid }).update(change);

  test('each change is sent until the end, which ends the stream', async () => {
    const uuid = await newRun();
    const { told, outcome } = follow(url, uuid);
    await vi.waitFor(() => expect(told).toHaveLength(1), UNTIL);
    await report(uuid, { state: 'active', done: 3, total: 10 });
    await vi.waitFor(() => expect(told).toHaveLength(2), UNTIL);
    await report(uuid, { state: 'completed', done: 10, result: JSON.stringify({ sent: 10 }) });
    await vi.waitFor(() => expect(outcome.completed).toBe(true), UNTIL);
    expect(told.map(({ data }) => [data.state, data.done, data.total, data.result])).toEqual([
      ['waiting', 0, null, null],
      ['active', 3, 10, null],
      ['completed', 10, 10, { sent: 10 }],
    ]);
    expect(world.app.openStreams.size).toBe(0);
    expect(world.runtime.jobRuns.followers).toBe(0);
  });

  test('a client that reconnects gets changes since its last event, and none twice', async () => {
    const uuid = await newRun({ state: 'active', done: 1 });
    const first = follow(url, uuid);
    await vi.waitFor(() => expect(first.told).toHaveLength(1), UNTIL);
    first.leave();
    const seen = first.told[0]?.id;
    const unchanged = follow(url, uuid, adminToken(), seen);
    await vi.waitFor(() => expect(world.runtime.jobRuns.followers).toBe(1), UNTIL);
    await report(uuid, { done: 2 });
    await vi.waitFor(() => expect(unchanged.told).toHaveLength(1), UNTIL);
    expect(unchanged.told[0]?.data.done).toBe(2);
    unchanged.leave();
    await report(uuid, { state: 'failed', error: 'The job failed: Error.' });
    const last = follow(url, uuid, adminToken(), unchanged.told[0]?.id);
    await vi.waitFor(() => expect(last.outcome.completed).toBe(true), UNTIL);
    expect(last.told.map(({ data }) => data.state)).toEqual(['failed']);
    const after = follow(url, uuid, adminToken(), last.told[0]?.id);
    await vi.waitFor(() => expect(after.outcome.completed).toBe(true), UNTIL);
    expect(after.told).toEqual([]);
  });

  test('polling stops when the last follower has left', async () => {
    const uuid = await newRun({ state: 'active' });
    const follower = follow(url, uuid);
    await vi.waitFor(() => expect(follower.told).toHaveLength(1), UNTIL);
    follower.leave();
    await vi.waitFor(() => expect(world.runtime.jobRuns.followers).toBe(0), UNTIL);
    await vi.waitFor(() => expect(world.app.openStreams.size).toBe(0), UNTIL);
    let statements = 0;
    world.db.on('query', () => {
      statements += 1;
    });
    // Longer than the pause between two looks.
    await sleep(600);
    expect(statements).toBe(0);
  });

  test('many followers cost one look at a time, and other requests get the only connection', async () => {
    const uuids = await Promise.all(Array.from({ length: 5 }, () => newRun({ state: 'active' })));
    const followers = Array.from({ length: 50 }, (_, index) => follow(url, uuids[index % 5] ?? ''));
    await vi.waitFor(() => expect(followers.every(({ told }) => told.length === 1)).toBe(true), UNTIL);
    const looks: string[] = [];
    world.db.on('query', ({ sql }: { sql: string }) => void (/job_runs.*in \(/.test(sql) && looks.push(sql)));
    const start = performance.now();
    const asked = await fetch(`${url}/api/v1/jobs/${uuids[0]}/`, { headers: { authorization: `JWT ${adminToken()}` } });
    expect(asked.status).toBe(200);
    await vi.waitFor(() => expect(looks.length).toBeGreaterThanOrEqual(4), UNTIL);
    // One statement for all five jobs per pause of 250 ms, not one per follower.
    expect(looks.length).toBeLessThanOrEqual((performance.now() - start) / 250 + 2);
    await world.db('job_runs').whereIn('uuid', uuids).update({ state: 'completed' });
    await vi.waitFor(() => expect(followers.every(({ outcome }) => outcome.completed)).toBe(true), UNTIL);
  });

  test.each([
    ['nobody', () => null, { httpStatus: 401, domain: { code: 'not_authenticated' } }],
    ['a learner', () => learnerToken(1000), { httpStatus: 403, domain: { code: 'permission_denied' } }],
    [
      'an administrator of another customer',
      () => tokenFor('enterprise_admin', demonstration.otherCustomer, 900),
      { httpStatus: 403, domain: { code: 'permission_denied' } },
    ],
  ])('%s is refused before anything is told', async (_who, token, data) => {
    const { told, outcome } = follow(url, await newRun(), token());
    await vi.waitFor(() => expect(outcome.error).not.toBeNull(), UNTIL);
    expect(outcome.error?.data).toMatchObject(data);
    expect(told).toEqual([]);
    expect(world.runtime.jobRuns.followers).toBe(0);
  });

  test('an unknown job and invalid input are declared errors', async () => {
    const unknown = follow(url, newUuid(), operatorToken());
    await vi.waitFor(() => expect(unknown.outcome.error).not.toBeNull(), UNTIL);
    expect(unknown.outcome.error?.data).toMatchObject({ httpStatus: 404, domain: { code: 'not_found' } });
    const nonsense = follow(url, 'nonsense', operatorToken());
    await vi.waitFor(() => expect(nonsense.outcome.error).not.toBeNull(), UNTIL);
    expect(nonsense.outcome.error?.data).toMatchObject({
      httpStatus: 400,
      domain: { code: 'invalid_input', details: { fields: { uuid: [expect.any(String)] } } },
    });
  });

  test('a process that stops ends its streams, and their clients go on at another one', async () => {
    const uuid = await newRun({ state: 'active', done: 1 });
    const reply = await fetch(`${url}/trpc/jobs.progress?input=${encodeURIComponent(superjson.stringify({ uuid }))}`, {
      headers: { authorization: `JWT ${adminToken()}`, accept: 'text/event-stream' },
    });
    expect(reply.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const text = reply.text();
    await vi.waitFor(() => expect(world.runtime.jobRuns.followers).toBe(1), UNTIL);
    await world.app.close();
    // Neither a final event, after which clients stay away, nor an error.
    expect(await text).not.toMatch(/event: (return|serialized-error)/);
    expect(world.runtime.jobRuns.followers).toBe(0);
  });

  test('a client resumes on another process by itself', async () => {
    const uuid = await newRun({ state: 'active', done: 1 });
    const { told, outcome } = follow(url, uuid);
    await vi.waitFor(() => expect(told).toHaveLength(1), UNTIL);
    await world.app.close();
    const next = await buildApp({ env: testEnvironment(), runtime: world.runtime });
    await next.listen({ host: '127.0.0.1', port: Number(new URL(url).port) });
    try {
      await vi.waitFor(() => expect(next.openStreams.size).toBe(1), UNTIL);
      await report(uuid, { state: 'completed', done: 2 });
      await vi.waitFor(() => expect(outcome).toEqual({ completed: true, error: null }), UNTIL);
      expect(told.map(({ data }) => data.done)).toEqual([1, 2]);
    } finally {
      await next.close();
    }
  });
});
