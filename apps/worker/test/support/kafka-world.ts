import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTestDatabase } from '@enterprise-access/db/testing';
import { startSandbox } from '@enterprise-access/sandbox';
import { type PlatformCommand, runPlatform, startRegistry } from '@enterprise-access/services';
import { useService } from '@enterprise-access/services/testing';
import { demonstration, seedDemonstration } from '@enterprise-access/start/demonstration';
import { expect, inject, vi } from 'vitest';
import { z } from 'zod';
import { quickStart } from '../../../../tooling/test/children.ts';
import { learnerToken } from '../../../api/test/support/harness.ts';
import { redeemAt, startApiProcess } from '../../../api/test/support/processes.ts';
import { settingsFor, startWorkerProcess } from './processes.ts';

const COMMAND = fileURLToPath(new URL('../../src/command.ts', import.meta.url));
const COURSE = 'course-v1:edX+DemoX+2T2026';
const PATIENT = { timeout: 60_000, interval: 50 };

export const eventually = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, PATIENT);

/** API and worker as processes, stand-in services, Kafka, and a registry whose numbers nobody else uses. */
export async function makeKafkaWorld() {
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-kafka-'));
  const [business, queues, registry, brokers, sandbox] = await Promise.all([
    createTestDatabase(inject('servers'), 'postgres', 5),
    createTestDatabase(inject('servers'), 'postgres', 1),
    startRegistry({ logFile: join(folder, 'registry.log') }),
    useService(inject('services'), 'kafka'),
    startSandbox({}),
  ]);
  await seedDemonstration(business.db);
  const topicPrefix = `worker-${randomBytes(6).toString('hex')}`;
  const environment = {
    ...settingsFor(business.url, queues.url, sandbox.url),
    LOG_LEVEL: 'info',
    KAFKA_BROKERS: brokers,
    SCHEMA_REGISTRY_URL: registry.url,
    EVENT_BUS_TOPIC_PREFIX: topicPrefix,
  };
  const [api, worker] = await Promise.all([
    startApiProcess(business.url, sandbox.url),
    startWorkerProcess(environment),
  ]);
  return {
    db: business.db,
    brokers,
    registry,
    topicPrefix,
    worker,
    /** A learner is enrolled and our ledger has paid; the uuid of the transaction. */
    async redeem(learner: number): Promise<string> {
      const body = { lms_user_id: learner, content_key: COURSE };
      const reply = await redeemAt(api.url, demonstration.spendPolicy, learnerToken(learner), body);
      expect(reply?.status, JSON.stringify(reply?.body)).toBe(200);
      return z.object({ uuid: z.string() }).parse(reply?.body).uuid;
    },
    /** State of the transaction's reversal, or undefined without one. */
    reversalOf: async (transaction: string): Promise<string | undefined> =>
      (await business.db('ledger_reversals').where({ transaction_uuid: transaction }).first('state'))?.state,
    platform: (command: PlatformCommand['command'], input: unknown) =>
      runPlatform({ command, input, brokers, registryUrl: registry.url, topicPrefix }),
    /** `npm run job`; what the job reports. */
    async job(...args: string[]): Promise<Record<string, unknown>> {
      const env = { PATH: process.env.PATH, NODE_ENV: 'test', ...environment, LOG_LEVEL: 'fatal' };
      const { stdout } = await promisify(execFile)(process.execPath, [...quickStart, COMMAND, ...args], { env });
      return JSON.parse(stdout);
    },
    async close() {
      await Promise.all([api.stop(), worker.stop()]);
      await Promise.all([sandbox.close(), registry.stop(), business.drop(), queues.drop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type KafkaWorld = Awaited<ReturnType<typeof makeKafkaWorld>>;

/** What the LMS tells when a learner leaves a course that our ledger had paid for. */
export const revokedData = (transaction: string | null, change: Readonly<Record<string, unknown>> = {}) => ({
  learner_credit_course_enrollment: {
    uuid: '11111111-2222-4333-8444-555555555555',
    created: '2026-03-01T10:00:00+00:00',
    modified: '2026-03-02T10:00:00+00:00',
    fulfillment_type: 'learner_credit',
    is_revoked: true,
    enterprise_course_entitlement_uuid: null,
    enterprise_course_enrollment: {
      id: 7,
      created: '2026-03-01T10:00:00+00:00',
      modified: '2026-03-02T10:00:00+00:00',
      enterprise_customer_user: {
        id: 12,
        created: '2026-03-01T10:00:00+00:00',
        modified: '2026-03-01T10:00:00+00:00',
        enterprise_customer_uuid: demonstration.customer,
        user_id: 1_000,
        active: true,
        linked: true,
        is_relinkable: true,
        should_inactivate_other_customers: false,
        invite_key: null,
      },
      course_id: COURSE,
      saved_for_later: false,
      source_slug: 'enterprise',
      unenrolled: true,
      unenrolled_at: '2026-03-02T10:00:00+00:00',
      ...change,
    },
    transaction_id: transaction,
  },
});
