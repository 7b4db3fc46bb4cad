import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { defineJob, enqueue, implementJob } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { readWorkerEnvironment } from '../../src/env.ts';
import { DEAD_LETTERS } from '../../src/queues.ts';
import { startWorker, type Worker } from '../../src/worker.ts';

const PATIENT = { timeout: 40_000, interval: 50 };

let isBroken = true;
const effects: string[] = [];

/** Fails until it is repaired, before its effect or after it. */
const fragileJob = implementJob(
  defineJob({
    name: 'test.fragile',
    summary: 'Has its effect, unless it is broken.',
    payload: z.object({ key: z.string(), name: z.string(), fails: z.enum(['before', 'after']) }),
    result: z.object({}),
    keyOf: ({ key }) => key,
    retry: { limit: 0, delaySeconds: 1, maximumDelaySeconds: 1 },
    timeoutSeconds: 20,
  }),
  async ({ once }, { name, fails }) => {
    if (isBroken && fails === 'before') throw new Error('broken');
    if (await once(async () => undefined)) effects.push(name);
    if (isBroken) throw new Error('broken');
    return {};
  },
);

let business: TestDatabase;
let queues: TestDatabase;
let worker: Worker;
beforeAll(async () => {
  business = await createTestDatabase(inject('servers'), 'postgres', 8);
  queues = await createTestDatabase(inject('servers'), 'postgres', 1);
  const env = readWorkerEnvironment({
    DATABASE_URL: business.url,
    JOBS_DATABASE_URL: queues.url,
    WORKER_PORT: '0',
    LMS_URL: 'http://lms.test',
    ENTERPRISE_CATALOG_URL: 'http://catalog.test',
    OAUTH2_URL: 'http://lms.test',
    BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
    BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
  });
  const clock = () => new Date();
  const runtime = { ...testRuntime(business.db, emptyWorld(), { clock }), close: async () => undefined };
  worker = await startWorker({ env, runtime, jobs: [fragileJob], schedules: [] });
});
afterAll(async () => {
  await worker.stop();
  await business.drop();
  await queues.drop();
});

const ask = (key: string, name: string, fails: 'before' | 'after') =>
  business.db.transaction((trx) => enqueue(trx, new Date(), fragileJob.contract, { key, name, fails }));
const letters = async () => (await worker.boss.findJobs(DEAD_LETTERS, { queued: true })).length;

async function run(name: string): Promise<unknown> {
  const id = await worker.boss.send(name, { payload: {}, trace: null }, { singletonKey: 'test' });
  const ended = async () => expect((await worker.boss.getJobById(name, id ?? ''))?.state).toBe('completed');
  await vi.waitFor(ended, PATIENT);
  return (await worker.boss.getJobById(name, id ?? ''))?.output;
}

test('dead letters are sent back in the order of their key, and what had its effect does not have it again', {
  timeout: 120_000,
}, async () => {
  const names = Array.from({ length: 8 }, (_, index) => `job-${index}`);
  for (const name of names) await ask('key', name, 'before');
  await ask('other', 'done', 'after');
  for (let dead = 1; dead <= names.length; dead += 1) {
    // The first of a key fails for good, and the next one comes when its place is cleared.
    await vi.waitFor(async () => expect(await letters()).toBe(dead === 1 ? 2 : dead + 1), PATIENT);
    expect(await run('dead-letters.clear-keys')).toEqual({ cleared: dead === 1 ? 2 : 1 });
  }
  expect(effects).toEqual(['done']);
  isBroken = false;
  expect(await run('dead-letters.retry')).toMatchObject({ jobs: names.length + 1 });
  await vi.waitFor(() => expect(effects.length).toBeGreaterThan(names.length), PATIENT);
  expect(effects).toEqual(['done', ...names]);
  const isQuiet = async () =>
    expect((await worker.boss.findJobs(fragileJob.contract.name, { queued: true })).length).toBe(0);
  await vi.waitFor(isQuiet, PATIENT);
  expect(await letters()).toBe(0);
  expect(effects).toHaveLength(names.length + 1);
});
