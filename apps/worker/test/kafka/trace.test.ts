import { createTestDatabase } from '@enterprise-access/db/testing';
import { type Consumer, consumerOf, defineJob, enqueue, implementJob } from '@enterprise-access/domain';
import { buildRuntime } from '@enterprise-access/platform';
import { startSandbox } from '@enterprise-access/sandbox';
import { useService } from '@enterprise-access/services/testing';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { startTelemetry } from '@enterprise-access/tracing';
import { type CollectedSpan, startCollector } from '@enterprise-access/tracing/testing';
import { expect, inject, test, vi } from 'vitest';
import { z } from 'zod';
import { learnerToken } from '../../../api/test/support/harness.ts';
import { redeemAt, startApiProcess } from '../../../api/test/support/processes.ts';
import { readWorkerEnvironment } from '../../src/env.ts';
import { startWorker } from '../../src/worker.ts';
import { settingsFor } from '../support/processes.ts';

const services = inject('services');
const needed = ['kafka', 'registry'] as const;
const missing = needed.flatMap((name) => services.missing[name] ?? []);

const REDEEMED = 'org.openedx.enterprise.access.subsidy.redeemed.v1';
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

/** Asks the LMS, as jobs do. */
const askJob = implementJob(
  defineJob({
    name: 'test.ask',
    summary: 'Asks the LMS about a learner.',
    payload: z.object({ customer: z.string(), learner: z.int() }),
    result: z.object({ found: z.boolean() }),
    retry: { limit: 1, delaySeconds: 1, maximumDelaySeconds: 1 },
    timeoutSeconds: 20,
  }),
  async ({ runtime }, { customer, learner }) => ({ found: (await runtime.lms.learner(customer, learner)) !== null }),
);

/** An event that makes a job: the way from Kafka back to the outbox. */
const onRedeemed: Consumer = consumerOf(
  REDEEMED,
  z.object({ enterprise_uuid: z.string(), lms_user_id: z.int() }),
  async ({ runtime, claim }, { enterprise_uuid: customer, lms_user_id: learner }) => {
    await runtime.db.transaction(async (trx) => {
      if (await claim(trx)) await enqueue(trx, runtime.clock(), askJob.contract, { customer, learner });
    });
  },
);

/** Name of the span that a span is a part of, up to the first of its trace. */
function lineOf(spans: readonly CollectedSpan[], span: CollectedSpan | undefined): string[] {
  if (!span) return [];
  return [
    ...lineOf(
      spans,
      spans.find(({ spanId }) => spanId === span.parentSpanId),
    ),
    `${span.service}: ${span.name}`,
  ];
}

test.skipIf(missing.length > 0)('one trace leads from a request to all that follows from it', async () => {
  const [brokers, registry] = await Promise.all(needed.map((name) => useService(services, name)));
  const collector = await startCollector();
  const business = await createTestDatabase(inject('servers'), 'postgres', 5);
  const queues = await createTestDatabase(inject('servers'), 'postgres', 1);
  await seedDemonstration(business.db);
  const sandbox = await startSandbox({});
  const api = await startApiProcess(business.url, sandbox.url, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
  const telemetry = await startTelemetry('worker', collector.url);
  const env = readWorkerEnvironment({
    ...settingsFor(business.url, queues.url, sandbox.url),
    WORKER_PORT: '0',
    KAFKA_BROKERS: brokers,
    SCHEMA_REGISTRY_URL: registry,
    EVENT_BUS_TOPIC_PREFIX: `trace-${Date.now()}`,
  });
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const runtime = buildRuntime(env, silent, 'http://access.test');
  const worker = await startWorker({ env, runtime, jobs: [askJob], consumers: [onRedeemed], schedules: [] });
  try {
    const reply = await redeemAt(
      api.url,
      demonstration.spendPolicy,
      learnerToken(1000),
      { lms_user_id: 1000, content_key: 'course-v1:edX+DemoX+2T2026' },
      { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01` },
    );
    expect(reply?.status, JSON.stringify(reply?.body)).toBe(200);
    const asked = () => business.db('inbox').where('consumer', `event:${REDEEMED}`);
    await vi.waitFor(async () => expect(await asked()).toHaveLength(1), { timeout: 40_000, interval: 50 });
    await vi.waitFor(
      async () => expect((await worker.boss.findJobs('test.ask', {})).map(({ state }) => state)).toEqual(['completed']),
      { timeout: 20_000, interval: 50 },
    );
  } finally {
    await api.stop();
    await worker.stop();
    await telemetry.stop();
    await sandbox.close();
    await collector.stop();
    await business.drop();
    await queues.drop();
  }
  const spans = collector.spans.filter(({ traceId }) => traceId === TRACE_ID);
  const learnerCall = spans.findLast(({ service, name }) => service === 'worker' && name === 'GET lms');
  expect(lineOf(spans, learnerCall)).toEqual([
    'enterprise-access-api: POST redemptions.redeem',
    `worker: publish ${REDEEMED}`,
    `worker: process ${REDEEMED}`,
    'worker: queue test.ask',
    'worker: job test.ask',
    'worker: GET lms',
  ]);
  const calls = spans.filter(({ service, name }) => service === 'enterprise-access-api' && /lms|catalog/.test(name));
  expect(new Set(calls.map(({ name }) => name))).toEqual(new Set(['GET lms', 'GET catalog', 'POST lms']));
});
