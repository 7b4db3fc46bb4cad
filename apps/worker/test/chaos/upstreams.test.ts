import { createTestDatabase } from '@enterprise-access/db/testing';
import { auditBooks, defineJob, enqueue, implementJob, jobs } from '@enterprise-access/domain';
import { buildRuntime } from '@enterprise-access/platform';
import { startSandbox } from '@enterprise-access/sandbox';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { learnerToken } from '../../../api/test/support/harness.ts';
import { type ApiProcess, redeemAt, startApiProcess } from '../../../api/test/support/processes.ts';
import { readWorkerEnvironment } from '../../src/env.ts';
import { startWorker, type Worker } from '../../src/worker.ts';
import { settingsFor } from '../support/processes.ts';

const RUN = 'course-v1:edX+DemoX+2T2026';
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A job that needs the LMS, as reminders and mails do. */
const askJob = implementJob(
  defineJob({
    name: 'test.ask-lms',
    summary: 'Asks the LMS about a customer.',
    payload: z.object({ customer: z.string() }),
    result: z.object({ name: z.string() }),
    retry: { limit: 6, delaySeconds: 1, maximumDelaySeconds: 4 },
    timeoutSeconds: 20,
  }),
  async ({ runtime }, { customer }) => ({ name: (await runtime.lms.customer(customer))?.name ?? '' }),
);

let business: Awaited<ReturnType<typeof createTestDatabase>>;
let queues: typeof business;
let sandbox: Awaited<ReturnType<typeof startSandbox>>;
let worker: Worker;
let api: ApiProcess;

const fault = async (spec: object) => {
  const reply = await fetch(`${sandbox.url}/control/faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(spec),
  });
  if (!reply.ok) throw new Error(await reply.text());
};

beforeAll(async () => {
  [business, queues, sandbox] = await Promise.all([
    createTestDatabase(inject('servers'), 'postgres', 5),
    createTestDatabase(inject('servers'), 'postgres', 1),
    startSandbox(),
  ]);
  await seedDemonstration(business.db);
  const upstreams = { UPSTREAM_TIMEOUT_MS: '1000', ENROLLMENT_TIMEOUT_MS: '1000' };
  const env = readWorkerEnvironment({
    ...settingsFor(business.url, queues.url, sandbox.url),
    WORKER_PORT: '0',
    ...upstreams,
  });
  const runtime = buildRuntime(env, silent, 'http://access.test');
  [worker, api] = await Promise.all([
    startWorker({ env, runtime, jobs: [...jobs, askJob], schedules: [] }),
    startApiProcess(business.url, sandbox.url, { ...upstreams, LOG_LEVEL: 'silent' }),
  ]);
});
afterAll(async () => {
  await Promise.all([worker.stop(), api.stop()]);
  await Promise.all([sandbox.close(), business.drop(), queues.drop()]);
});

test('jobs that find a service down are tried again, with growing pauses and not all at once, until it is back', async () => {
  const JOBS = 6;
  await fault({ path: '/lms/enterprise/api/v1/enterprise-customer/', status: 500 });
  await business.db.transaction(async (trx) => {
    for (let n = 0; n < JOBS; n += 1)
      await enqueue(trx, new Date(), askJob.contract, { customer: demonstration.customer });
  });
  /** How long a job is to rest after each of its failures, in milliseconds. */
  const pauses = new Map<string, number[]>();
  const look = async () => {
    const found = await worker.boss.findJobs(askJob.contract.name);
    for (const job of found) {
      const known = pauses.get(job.id) ?? [];
      if (job.state === 'retry' && known.length === job.retryCount)
        pauses.set(job.id, [...known, job.startAfter.getTime() - Date.now()]);
    }
    return found.map(({ state }) => state);
  };
  await vi.waitFor(
    async () => {
      await look();
      expect([...pauses.values()].filter(({ length }) => length >= 3)).toHaveLength(JOBS);
    },
    { timeout: 50_000, interval: 20 },
  );
  sandbox.state.faults.length = 0;
  await vi.waitFor(async () => expect(new Set(await look())).toEqual(new Set(['completed'])), {
    timeout: 30_000,
    interval: 50,
  });
  for (const [first = 0, second = 0, third = 0] of pauses.values()) {
    expect(first).toBeLessThanOrEqual(2_000);
    expect(second).toBeLessThanOrEqual(4_000);
    expect(third).toBeLessThanOrEqual(4_000);
    expect(third).toBeGreaterThan(first);
  }
  const firsts = [...pauses.values()].map(([first = 0]) => first);
  expect(Math.max(...firsts) - Math.min(...firsts)).toBeGreaterThan(50);
});

test('a redeem that the LMS left open is finished by the worker, once, and the books agree', async () => {
  const learner = 1_500;
  await fault({ path: '/lms/enterprise/.*/enroll_', dropConnection: true });
  const first = await redeemAt(api.url, demonstration.spendPolicy, learnerToken(learner), {
    lms_user_id: learner,
    content_key: RUN,
  });
  expect(first).toMatchObject({ status: 200, body: { state: 'pending', quantity: -14_900 } });
  const reconcile = async () => {
    const id = await worker.boss.send(
      'redemptions.reconcile',
      { payload: { olderThanSeconds: 0 }, trace: null },
      { singletonKey: 'all' },
    );
    return vi.waitFor(
      async () => {
        const [job] = await worker.boss.findJobs<object>('redemptions.reconcile', { id: id ?? '' });
        expect(job?.state).toBe('completed');
        return job?.output as { redemptions: object };
      },
      { timeout: 30_000, interval: 50 },
    );
  };
  expect(await reconcile()).toMatchObject({ redemptions: { found: 1, open: 1 } });
  sandbox.state.faults.length = 0;
  expect(await reconcile()).toMatchObject({ redemptions: { found: 1, open: 0 } });
  expect(await reconcile()).toMatchObject({ redemptions: { found: 0, open: 0 } });

  const again = await redeemAt(api.url, demonstration.spendPolicy, learnerToken(learner), {
    lms_user_id: learner,
    content_key: RUN,
  });
  expect(again).toMatchObject({ status: 200, body: { state: 'committed' } });
  const enrolments = [...sandbox.state.lms.enrolmentsByFulfilment.values()];
  expect(enrolments.filter(({ lmsUserId }) => lmsUserId === learner)).toHaveLength(1);
  expect(await auditBooks(business.db)).toEqual([]);
});
