import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { aborted, backoff, pause } from '../backoff.ts';
import type { ConsumeOptions, Log, RawMessage, Subscription } from '../bus.ts';
import { type Deliver, textOf } from '../delivery.ts';
import { LIBRARY_RETRY } from './client.ts';

const RECONNECT = { initialMs: 200, maximumMs: 15_000 };
/** Poll interval for topics that do not exist yet. */
const MISSING_TOPIC_MS = 10_000;
const HEARTBEAT_MS = 2_000;
/**
 * Session timeout: how long the group waits for a member without heartbeat, also for our previous session after an
 * outage.
 */
const SESSION_MS = 10_000;
/**
 * How long the group waits for members to rejoin during a rebalance. A member that was killed meanwhile delays all
 * others by this; a live one needs the time of one message.
 */
const REBALANCE_MS = 15_000;
const COMMIT_MS = 1_000;
/** Partitions that are processed concurrently. */
const CONCURRENCY = 4;

export interface KafkaSubscriptionOptions extends Pick<ConsumeOptions, 'group' | 'onLag'> {
  /** With the prefix of the environment. */
  readonly topics: readonly string[];
  /** The name without the prefix. */
  readonly baseName: (topic: string) => string;
  readonly deliver: Deliver;
  readonly log: Log;
}

/**
 * Consumes in sessions: a session is one consumer of the library, from its connection to its first failure. If the
 * library does not recover within seconds, a new session starts, without limit.
 */
export function kafkaSubscription(kafka: Kafka, options: KafkaSubscriptionOptions): Subscription {
  const stopping = new AbortController();
  const { signal } = stopping;
  let isConnected = false;
  let failures = 0;

  async function keepConsuming(): Promise<void> {
    while (!signal.aborted) {
      try {
        await session();
      } catch (error) {
        failures += 1;
        options.log.warn(
          { group: options.group, failures, error: textOf(error) },
          'consumer lost the broker connection',
        );
        await pause(backoff(RECONNECT, failures), signal);
      } finally {
        isConnected = false;
      }
    }
  }

  /** Resolves when the session should stop or rejoin; rejects when the connection is lost. */
  async function session(): Promise<void> {
    const consumer = kafka.consumer({
      groupId: options.group,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      // While no messages arrive, this also bounds how long a stop or the end of a pause waits.
      maxWaitTimeInMs: 250,
      allowAutoTopicCreation: true,
      retry: { ...LIBRARY_RETRY, restartOnFailure: async () => false },
    });
    const crashed = Promise.withResolvers<never>();
    crashed.promise.catch(() => undefined);
    consumer.on(consumer.events.CRASH, ({ payload }) => crashed.reject(payload.error));
    consumer.on(consumer.events.GROUP_JOIN, () => {
      isConnected = true;
      failures = 0;
    });
    const resumptions = new Set<NodeJS.Timeout>();
    try {
      await consumer.connect();
      const missing = await subscribe(consumer);
      if (missing.length === options.topics.length) throw new Error(`There is no topic ${missing.join(', ')} yet.`);
      await consumer.run({
        autoCommit: true,
        autoCommitInterval: COMMIT_MS,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: CONCURRENCY,
        eachBatch: (payload) => eachBatch(payload, resumptions),
      });
      await Promise.race([crashed.promise, aborted(signal), appearance(missing)]);
    } finally {
      for (const resumption of resumptions) clearTimeout(resumption);
      await consumer.disconnect();
    }
  }

  /**
   * Subscribes to the existing topics and returns the missing ones. Brokers with auto-creation create a topic when it
   * is requested.
   */
  async function subscribe(consumer: Consumer): Promise<string[]> {
    const missing: string[] = [];
    for (const topic of options.topics) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await consumer.subscribe({ topics: [topic], fromBeginning: true });
          break;
        } catch (error) {
          if (!isUnknownTopic(error)) throw error;
          if (attempt === 5) {
            missing.push(topic);
            break;
          }
          await pause(100 * attempt, signal);
        }
      }
    }
    if (missing.length > 0) options.log.warn({ group: options.group, topics: missing }, 'topics do not exist yet');
    return missing;
  }

  /** Resolves when one of the topics exists. */
  async function appearance(missing: readonly string[]): Promise<void> {
    if (missing.length === 0) return aborted(signal);
    const admin = kafka.admin();
    while (!signal.aborted) {
      await pause(MISSING_TOPIC_MS, signal);
      try {
        await admin.connect();
        const topics = await admin.listTopics();
        if (missing.some((topic) => topics.includes(topic))) return;
      } catch {
        // Ignored: the consumer detects a lost connection itself.
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
    }
  }

  async function eachBatch(payload: EachBatchPayload, resumptions: Set<NodeJS.Timeout>): Promise<void> {
    const { batch, heartbeat } = payload;
    let next = batch.firstOffset() ?? batch.highWatermark;
    // Send heartbeats during a slow handler; a failed heartbeat shows up at the next message.
    const pulse = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_MS);
    try {
      for (const message of batch.messages) {
        if (signal.aborted || !payload.isRunning() || payload.isStale()) break;
        const waitMs = await options.deliver(rawMessage(options.baseName(batch.topic), batch.partition, message));
        if (waitMs !== null) {
          // Pause only this partition. The offset is not advanced, so the message is fetched again afterwards.
          const resume = payload.pause();
          const timer = setTimeout(() => {
            resumptions.delete(timer);
            resume();
          }, waitMs);
          resumptions.add(timer);
          break;
        }
        payload.resolveOffset(message.offset);
        next = String(BigInt(message.offset) + 1n);
        await payload.commitOffsetsIfNecessary();
        await heartbeat();
      }
    } finally {
      clearInterval(pulse);
      options.onLag?.({
        group: options.group,
        topic: options.baseName(batch.topic),
        partition: batch.partition,
        messages: Number(BigInt(batch.highWatermark) - BigInt(next)),
      });
    }
  }

  const running = keepConsuming();
  return {
    get isConnected() {
      return isConnected;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const isUnknownTopic = (error: unknown): boolean =>
  error instanceof Error && 'type' in error && error.type === 'UNKNOWN_TOPIC_OR_PARTITION';

function rawMessage(topic: string, partition: number, message: KafkaMessage): RawMessage {
  const headers: Record<string, Buffer[]> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    if (value !== undefined) headers[name] = [value].flat().map((item) => Buffer.from(item));
  }
  return { position: { topic, partition, offset: message.offset }, key: message.key, value: message.value, headers };
}
