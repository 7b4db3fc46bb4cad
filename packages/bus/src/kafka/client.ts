import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
import type { Log } from '../bus.ts';
import './idle-timer.ts';

export interface KafkaConnection {
  /** `host:port` */
  readonly brokers: readonly string[];
  /** Client id sent to the broker (R-EVT-05). */
  readonly clientId: string;
  /** With both, SASL PLAIN over TLS (R-EVT-05). */
  readonly apiKey?: string | undefined;
  readonly apiSecret?: string | undefined;
}

/** Limits of the library's own retries. After them we retry with a new connection. */
export const LIBRARY_RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 };

export const kafkaClient = (connection: KafkaConnection, log: Log): Kafka =>
  new Kafka({
    clientId: connection.clientId,
    brokers: [...connection.brokers],
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: LIBRARY_RETRY,
    logLevel: logLevel.ERROR,
    // The library logs each of its own attempts as an error; we log only the result.
    logCreator: () => (entry) => {
      const { message, error, broker, groupId } = entry.log;
      log.warn({ library: 'kafkajs', part: entry.namespace, broker, group: groupId, error }, message);
    },
    ...secured(connection),
  });

const secured = ({ apiKey, apiSecret }: KafkaConnection): Pick<KafkaConfig, 'ssl' | 'sasl'> =>
  apiKey && apiSecret ? { ssl: true, sasl: { mechanism: 'plain', username: apiKey, password: apiSecret } } : {};
