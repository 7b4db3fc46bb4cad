import { appendToOutbox } from '@enterprise-access/db';
import { createTestDatabase } from '@enterprise-access/db/testing';
import type { Consumer } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { expect, inject, test, vi } from 'vitest';
import { readWorkerEnvironment, workerEnvironment } from '../../src/env.ts';
import { startWorker } from '../../src/worker.ts';

const PING = 'org.openedx.enterprise.core.ping.v1';
const SMALLEST = Array.from({ length: 20 }, (_, size) => size).find(
  (size) => workerEnvironment.shape.DATABASE_POOL_SIZE.safeParse(size).success,
);

test('the smallest pool that a worker accepts is enough to avoid a deadlock on connections', async () => {
  const { db, url, drop } = await createTestDatabase(inject('servers'), 'postgres', SMALLEST);
  const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
  const env = readWorkerEnvironment({
    DATABASE_URL: url,
    JOBS_DATABASE_URL: queues.url,
    WORKER_PORT: '0',
    LMS_URL: 'http://lms.test',
    ENTERPRISE_CATALOG_URL: 'http://catalog.test',
    OAUTH2_URL: 'http://lms.test',
    BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
    BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
  });
  const failures: string[] = [];
  const log = {
    info: () => undefined,
    warn: (_fields: object, message: string) => failures.push(message),
    error: (_fields: object, message: string) => failures.push(message),
  };
  const runtime = { ...testRuntime(db, emptyWorld(), { clock: () => new Date() }), log, close: async () => undefined };
  let seen = 0;
  const consumer: Consumer = {
    type: PING,
    async consume() {
      await db.raw('select 1');
      seen += 1;
    },
  };
  const worker = await startWorker({ env, runtime, jobs: [], schedules: [], consumers: [consumer] });
  for (let round = 0; round < 30; round += 1) {
    const events = Array.from({ length: 64 }, (_, index) => {
      const payload = { ping: { ping_uuid: `${round}-${index}`, ping_message: 'there?' } };
      return { enterpriseCustomerUuid: null, kind: 'event', name: PING, key: `key-${index}`, payload } as const;
    });
    await db.transaction((trx) => appendToOutbox(trx, new Date(), events));
  }
  await vi.waitFor(() => expect(seen).toBe(30 * 64), { timeout: 40_000, interval: 50 });
  expect(failures).toEqual([]);
  await worker.stop();
  await queues.drop();
  await drop();
}, 60_000);
