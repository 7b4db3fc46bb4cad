import { integer, parseEnvironment, serviceEnvironment, type Variables } from '@enterprise-access/platform';
import { z } from 'zod';

/** Everything the worker can be told. */
export const workerEnvironment = serviceEnvironment.extend({
  WORKER_PORT: integer(0, 65_535).default(18_271).describe('Port of readiness and metrics; 0 takes a free one.'),
  JOBS_DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL')
    .describe('PostgreSQL database of the job queues (pg-boss).'),
  JOBS_CONCURRENCY: integer(1, 200).default(10).describe('Jobs of one kind that this process runs at once.'),
  RELAY_POLL_MS: integer(5, 10_000).default(50).describe('Pause between looks at an empty outbox, in milliseconds.'),
});

export type WorkerEnvironment = z.infer<typeof workerEnvironment>;

export const readWorkerEnvironment = (variables: Variables): WorkerEnvironment =>
  parseEnvironment(workerEnvironment, variables);
