import {
  integer,
  jobsDatabaseUrl,
  list,
  parseEnvironment,
  serviceEnvironment,
  type Variables,
} from '@enterprise-access/platform';
import { z } from 'zod';

/** Without a scheme: TLS depends on KAFKA_API_KEY only, so a scheme would be ignored. */
const KAFKA_BROKER = /^([\w.-]+|\[[\da-fA-F:]+\]):\d+$/;

/** All environment variables of the worker with their defaults. */
export const workerEnvironment = serviceEnvironment.extend({
  // Four outbox lanes and the database bus hold one connection each, while publishing needs another one.
  DATABASE_POOL_SIZE: integer(6, 500).default(20).describe('Size of the connection pool of this process.'),
  WORKER_PORT: integer(0, 65_535)
    .default(18_271)
    .describe('Port of the health and metrics endpoints; 0 uses a free port.'),
  JOBS_DATABASE_URL: jobsDatabaseUrl.describe('PostgreSQL database of the job queues (pg-boss).'),
  JOBS_CONCURRENCY: integer(1, 200).default(10).describe('Concurrent jobs per kind in this process.'),
  KAFKA_BROKERS: list('')
    .pipe(z.array(z.string().regex(KAFKA_BROKER, 'must be host:port, separated by commas')))
    .describe('Kafka brokers, host:port; without them events stay in the business database.'),
  KAFKA_API_KEY: z.string().optional().describe('Kafka API key; with its secret enables SASL PLAIN over TLS.'),
  KAFKA_API_SECRET: z.string().optional().describe('Secret of KAFKA_API_KEY.'),
  SCHEMA_REGISTRY_URL: z
    .url()
    .refine((text) => new URL(text).username === '', 'the user is SCHEMA_REGISTRY_API_KEY')
    .optional()
    .describe('Schema registry; needed with Kafka.'),
  SCHEMA_REGISTRY_API_KEY: z.string().optional().describe('User of the registry.'),
  SCHEMA_REGISTRY_API_SECRET: z.string().optional().describe('Its password.'),
  EVENT_BUS_TOPIC_PREFIX: z.string().optional().describe('Prefix of topic names, followed by a hyphen.'),
  EVENT_BUS_CONSUMER_GROUP: z.string().min(1).default('enterprise-access').describe('Consumer group.'),
  EVENTS_SERVICE_NAME: z.string().min(1).default('enterprise_access').describe('Service name in the source of events.'),
  DRAIN_SECONDS: integer(1, 25)
    .default(20)
    .describe('Time for running jobs to finish at shutdown, in seconds; then they are returned to their queues.'),
  RELAY_POLL_MS: integer(5, 10_000).default(25).describe('Poll interval of an empty outbox, in milliseconds.'),
});

export type WorkerEnvironment = z.infer<typeof workerEnvironment>;

export const readWorkerEnvironment = (variables: Variables): WorkerEnvironment =>
  parseEnvironment(workerEnvironment, variables, kafkaProblems);

const together = (env: WorkerEnvironment, one: keyof WorkerEnvironment, other: keyof WorkerEnvironment): string[] =>
  (env[one] === undefined) === (env[other] === undefined)
    ? []
    : [`${one} and ${other} are set together or not at all.`];

/** A key without its secret would be ignored, and the connection would be unencrypted. */
function kafkaProblems(env: WorkerEnvironment): string[] {
  const problems = [
    ...together(env, 'KAFKA_API_KEY', 'KAFKA_API_SECRET'),
    ...together(env, 'SCHEMA_REGISTRY_API_KEY', 'SCHEMA_REGISTRY_API_SECRET'),
  ];
  if (env.KAFKA_BROKERS.length > 0 !== (env.SCHEMA_REGISTRY_URL !== undefined))
    problems.push('KAFKA_BROKERS and SCHEMA_REGISTRY_URL are set together or not at all.');
  if (env.KAFKA_BROKERS.length === 0 && env.KAFKA_API_KEY !== undefined)
    problems.push('KAFKA_API_KEY is set, but KAFKA_BROKERS is not.');
  return problems;
}
