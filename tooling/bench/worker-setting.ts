import type { Database, Dialect } from '@enterprise-access/db';
import { createTestDatabase, type TestServers } from '@enterprise-access/db/testing';
import { type Consumer, defineJob, implementJob, type Job, type Runtime } from '@enterprise-access/domain';
import { emptyWorld, testRuntime } from '@enterprise-access/domain/testing';
import { z } from 'zod';
import { readWorkerEnvironment, type WorkerEnvironment } from '../../apps/worker/src/env.ts';

export const payloadSchema = z.object({ number: z.int(), text: z.string() });
export type Payload = z.infer<typeof payloadSchema>;

/** A payload of typical size. */
export const payloadOf = (number: number): Payload => ({ number, text: 'x'.repeat(150) });

/** The work of a job: its effect is one row in a transaction that also claims the job. */
export const workJob = (name: string, isKeyed: boolean, onDone: (payload: Payload) => void): Job =>
  implementJob(
    {
      ...defineJob({
        name,
        summary: 'Leaves a row, once.',
        payload: payloadSchema,
        result: z.object({}),
        retry: { limit: 3, delaySeconds: 1, maximumDelaySeconds: 1 },
        timeoutSeconds: 60,
      }),
      ...(isKeyed ? { keyOf: ({ number }: Payload) => keyOf(number) } : {}),
    },
    async (run, payload) => {
      await run.once(async (trx) => {
        await trx('bench_effects').insert({ number: payload.number });
      });
      onDone(payload);
      return {};
    },
  );

/** Distributes jobs and events over a hundred keys. */
export const keyOf = (number: number): string => `key-${number % 100}`;

export interface WorkerSetting {
  readonly db: Database;
  readonly env: WorkerEnvironment;
  readonly variables: Readonly<Record<string, string>>;
  readonly runtime: Runtime & { close(): Promise<void> };
  stop(): Promise<void>;
}

/** Databases of a worker that a benchmark starts. */
export async function makeWorkerSetting(
  servers: TestServers,
  dialect: Dialect,
  more: Readonly<Record<string, string>> = {},
): Promise<WorkerSetting> {
  const business = await createTestDatabase(servers, dialect, 20);
  const queues = await createTestDatabase(servers, 'postgres', 1);
  await business.db.schema.createTable('bench_effects', (table) => {
    table.bigIncrements('position');
    table.integer('number').notNullable();
  });
  const variables = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'fatal',
    DATABASE_URL: business.url,
    JOBS_DATABASE_URL: queues.url,
    WORKER_PORT: '0',
    LMS_URL: 'http://lms.test',
    ENTERPRISE_CATALOG_URL: 'http://catalog.test',
    OAUTH2_URL: 'http://lms.test',
    BACKEND_SERVICE_EDX_OAUTH2_KEY: 'key',
    BACKEND_SERVICE_EDX_OAUTH2_SECRET: 'secret',
    ...more,
  };
  const clock = () => new Date();
  return {
    db: business.db,
    env: readWorkerEnvironment(variables),
    variables,
    runtime: { ...testRuntime(business.db, emptyWorld(), { clock }), close: async () => undefined },
    async stop() {
      await business.drop();
      await queues.drop();
    },
  };
}

export const PING = 'org.openedx.enterprise.core.ping.v1';

export const pingConsumer = (onPing: (number: number) => void): Consumer => ({
  type: PING,
  consume: async (_runtime, { data }) => {
    const { ping } = data as { ping: { ping_message: string } };
    onPing(Number(ping.ping_message.split(' ')[0]));
  },
});

export const pingData = ({ number, text }: Payload) => ({
  ping: { ping_uuid: keyOf(number), ping_message: `${number} ${text}` },
});
