import { createTestDatabase } from '@enterprise-access/db/testing';
import { enqueue } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { expect, inject, test, vi } from 'vitest';
import { readWorkerEnvironment } from '../../src/env.ts';
import { startWorker } from '../../src/worker.ts';
import { appendContract, testJobs } from '../support/work.ts';

const UNTIL = { timeout: 30_000, interval: 50 };

test('the jobs database is lost: jobs that the outbox hands over again have no second effect', async () => {
  const { db, url, drop } = await createTestDatabase(inject('servers'), 'postgres', 10);
  await db.schema.createTable('test_effects', (table) => {
    table.increments('position');
    table.uuid('job');
    table.string('effect_key');
    table.integer('sequence');
  });
  await db.schema.createTable('test_attempts', (table) => {
    table.increments('position');
    table.uuid('job');
  });
  const start = (jobsUrl: string) => {
    const env = readWorkerEnvironment({
      DATABASE_URL: url,
      JOBS_DATABASE_URL: jobsUrl,
      WORKER_PORT: '0',
      LMS_URL: 'http://lms.test',
      ENTERPRISE_CATALOG_URL: 'http://catalog.test',
      OAUTH2_URL: 'http://lms.test',
      BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
      BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
    });
    const runtime = { ...testRuntime(db, emptyWorld(), { clock: () => new Date() }), close: async () => undefined };
    return startWorker({ env, runtime, jobs: testJobs, schedules: [] });
  };
  const effects = async () => Number((await db('test_effects').count({ n: '*' }).first())?.n);

  const lost = await createTestDatabase(inject('servers'), 'postgres', 1);
  const before = await start(lost.url);
  await db.transaction(async (trx) => {
    for (let sequence = 0; sequence < 5; sequence += 1)
      await enqueue(trx, new Date(), appendContract, { key: 'k', sequence, failures: 0 });
  });
  await vi.waitFor(async () => expect(await effects()).toBe(5), UNTIL);
  await before.stop();
  await lost.drop();

  // As in docs/operations/recovery.md.
  await db.raw("update outbox set sent = null where kind = 'job' and created > '2020-01-01 00:00:00'");
  const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
  const after = await start(queues.url);
  await vi.waitFor(async () => {
    const again = await after.boss.findJobs('test.append', {});
    expect(again.map(({ state }) => state)).toEqual(Array(5).fill('completed'));
  }, UNTIL);
  expect(await effects()).toBe(5);
  await after.stop();
  await queues.drop();
  await drop();
});
