import { type Kafka, type Message, Partitioners, type Producer } from 'kafkajs';
import type { Log } from '../bus.ts';
import { textOf } from '../delivery.ts';

export interface TopicMessage {
  readonly topic: string;
  readonly message: Message;
}

export interface Publisher {
  /** Resolves when all in-sync replicas have all messages. */
  send(messages: readonly TopicMessage[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * One idempotent producer, one batch at a time, and a new producer after a failure.
 *
 * The library numbers messages per partition and takes the numbers back when a batch fails. The broker may hold that
 * batch all the same, and would then take a different batch with the same numbers for a repetition: it would
 * acknowledge it and throw it away. A batch that overtakes a failed one, or follows it on the same producer, can be
 * lost in this way. A new producer has numbers of its own.
 */
export function publisher(kafka: Kafka, log: Log): Publisher {
  let current: Promise<Producer> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function open(): Promise<Producer> {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: true,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    return producer;
  }

  async function discard(): Promise<void> {
    const before = current;
    current = undefined;
    await before?.then((producer) => producer.disconnect()).catch(() => undefined);
  }

  async function send(messages: readonly TopicMessage[]): Promise<void> {
    const byTopic = Map.groupBy(messages, ({ topic }) => topic);
    try {
      current ??= open();
      const producer = await current;
      await producer.sendBatch({
        acks: -1,
        timeout: 10_000,
        topicMessages: [...byTopic].map(([topic, entries]) => ({
          topic,
          messages: entries.map(({ message }) => message),
        })),
      });
    } catch (error) {
      log.warn({ messages: messages.length, error: textOf(error) }, 'events could not be published');
      await discard();
      throw error;
    }
  }

  /** Runs `work` after all earlier work has ended, successfully or not. */
  function queued<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  }

  return {
    send: (messages) => queued(() => send(messages)),
    close: () => queued(discard),
  };
}
