import { appendToOutbox } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { enqueue } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { readWorkerEnvironment } from '../../src/env.ts';
import { startWorker, type Worker } from '../../src/worker.ts';
import { appendContract, testJobs } from '../support/work.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

describe.each(dialects)('a worker on %s', (dialect) => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  let queues: typeof database;
  let worker: Worker;
  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), dialect, 10);
    queues = await createTestDatabase(inject('servers'), 'postgres', 1);
    const { db } = database;
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
    const env = readWorkerEnvironment({
      DATABASE_URL: database.url,
      JOBS_DATABASE_URL: queues.url,
      WORKER_PORT: '0',
      LMS_URL: 'http://lms.test',
      ENTERPRISE_CATALOG_URL: 'http://catalog.test',
      OAUTH2_URL: 'http://lms.test',
      BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
      BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
    });
    const runtime = { ...testRuntime(db, emptyWorld(), { clock: () => new Date() }), close: async () => undefined };
    worker = await startWorker({ env, runtime, jobs: testJobs, schedules: [] });
  });
  afterAll(async () => {
    await worker.stop();
    await database.drop();
    await queues.drop();
  });

  test('jobs of one key run in their order, each once, also when they fail before', async () => {
    const { db } = database;
    await db.transaction(async (trx) => {
      for (let sequence = 1; sequence <= 20; sequence += 1) {
        const key = `key-${sequence % 2}`;
        await enqueue(trx, new Date(), appendContract, { key, sequence, failures: sequence === 5 ? 1 : 0 });
      }
    });
    await vi.waitFor(async () => expect(Number((await db('test_effects').count({ n: '*' }).first())?.n)).toBe(20), {
      timeout: 20_000,
      interval: 50,
    });
    const rows: { effect_key: string; sequence: number }[] = await db('test_effects').orderBy('position');
    for (const key of ['key-0', 'key-1']) {
      const sequence = rows.filter((row) => row.effect_key === key).map((row) => row.sequence);
      expect(sequence).toEqual(sequence.toSorted((a, b) => a - b));
    }
  });

  test('more jobs than a batch holds that only another release knows: they wait, and those behind them run', async () => {
    const { db } = database;
    const before = Number((await db('test_effects').count({ n: '*' }).first())?.n);
    await db.transaction(async (trx) => {
      const unknown = Array(600).fill({
        enterpriseCustomerUuid: null,
        kind: 'job',
        name: 'test.later',
        key: 'k',
        payload: {},
      });
      await appendToOutbox(trx, new Date(), unknown);
      await enqueue(trx, new Date(), appendContract, { key: 'k', sequence: 1, failures: 0 });
    });
    const until = { timeout: 20_000, interval: 50 };
    await vi.waitFor(async () => {
      expect(Number((await db('test_effects').count({ n: '*' }).first())?.n)).toBe(before + 1);
      expect(await db('outbox').whereNull('sent').pluck('name')).toEqual(Array(600).fill('test.later'));
    }, until);
  });
});
