import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { aborted, backoff, pause } from '../backoff.ts';
import type { ConsumeOptions, Log, RawMessage, Subscription } from '../bus.ts';
import { type Deliver, textOf } from '../delivery.ts';
import { LIBRARY_RETRY } from './client.ts';

const RECONNECT = { initialMs: 200, maximumMs: 15_000 };
/** How often a topic that does not exist yet is looked for. */
const MISSING_TOPIC_MS = 10_000;
const HEARTBEAT_MS = 2_000;
/** How long the group waits for a member that says nothing; also for our own former self after an outage. */
const SESSION_MS = 10_000;
/**
 * How long the group waits for members to come back when it is shared anew. One that was killed on its way back holds up
 * all others for so long; one that is alive needs the time of one message.
 */
const REBALANCE_MS = 15_000;
const COMMIT_MS = 1_000;
/** Partitions that are worked on at the same time. */
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
 * Consumes in sessions: one session is one consumer of the library, from its connection to its first failure. What the
 * library does not repair within seconds is repaired by a new session, for as long as it takes.
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
        options.log.warn({ group: options.group, failures, error: textOf(error) }, 'consumer lost the broker');
        await pause(backoff(RECONNECT, failures), signal);
      } finally {
        isConnected = false;
      }
    }
  }

  /** Resolves when it is time to stop or to join again; rejects when the broker is lost. */
  async function session(): Promise<void> {
    const consumer = kafka.consumer({
      groupId: options.group,
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      // Also the longest wait of a stop, and of a partition whose pause is over, while nothing arrives.
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

  /** Subscribes to the topics that are there; names the others. Asking for one makes it where the broker allows that. */
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

  /** Resolves when one of the topics is there. */
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
        // The consumer notices a lost broker by itself.
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
    }
  }

  async function eachBatch(payload: EachBatchPayload, resumptions: Set<NodeJS.Timeout>): Promise<void> {
    const { batch, heartbeat } = payload;
    let next = batch.firstOffset() ?? batch.highWatermark;
    // A slow handler must not look like a dead consumer; a failure shows at the next message.
    const pulse = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_MS);
    try {
      for (const message of batch.messages) {
        if (signal.aborted || !payload.isRunning() || payload.isStale()) break;
        const waitMs = await options.deliver(rawMessage(options.baseName(batch.topic), batch.partition, message));
        if (waitMs !== null) {
          // Only this partition waits. The message stays the next one, so it is fetched again afterwards.
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
