import { type EventBus, embeddedBus, kafkaBus } from '@enterprise-access/bus';
import type { Database } from '@enterprise-access/db';
import type { Clock, Log } from '@enterprise-access/domain';
import type { WorkerEnvironment } from './env.ts';

/** Opens Kafka if it is configured, otherwise the bus in the business database. */
export function openBus(env: WorkerEnvironment, deps: { db: Database; log: Log; clock: Clock }): EventBus {
  const { db, log, clock: now } = deps;
  const service = env.EVENTS_SERVICE_NAME;
  if (env.KAFKA_BROKERS.length === 0 || env.SCHEMA_REGISTRY_URL === undefined) {
    return embeddedBus({ db, service, now, log });
  }
  return kafkaBus({
    kafka: {
      brokers: env.KAFKA_BROKERS,
      clientId: service,
      apiKey: env.KAFKA_API_KEY,
      apiSecret: env.KAFKA_API_SECRET,
    },
    registry: {
      url: env.SCHEMA_REGISTRY_URL,
      key: env.SCHEMA_REGISTRY_API_KEY,
      secret: env.SCHEMA_REGISTRY_API_SECRET,
    },
    topicPrefix: env.EVENT_BUS_TOPIC_PREFIX,
    service,
    now,
    log,
  });
}
