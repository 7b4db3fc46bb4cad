import { type EventBus, embeddedBus, eventTypesOf, kafkaBus } from '@enterprise-access/bus';
import type { Database } from '@enterprise-access/db';
import { type Clock, events, type Log } from '@enterprise-access/domain';
import type { WorkerEnvironment } from './env.ts';

const eventTypes = eventTypesOf(events.values());

/** Opens Kafka if it is configured, otherwise the bus in the business database. */
export function openBus(env: WorkerEnvironment, deps: { db: Database; log: Log; clock: Clock }): EventBus {
  const { db, log, clock: now } = deps;
  const service = env.EVENTS_SERVICE_NAME;
  if (env.KAFKA_BROKERS.length === 0 || env.SCHEMA_REGISTRY_URL === undefined) {
    return embeddedBus({ db, eventTypes, service, now, log });
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
    eventTypes,
    topicPrefix: env.EVENT_BUS_TOPIC_PREFIX,
    service,
    now,
    log,
  });
}
