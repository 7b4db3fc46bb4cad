import { backoff } from './backoff.ts';
import type { ConsumeOptions, DeadLetterReason, Log, RawMessage, ReceivedEvent, RetryPolicy } from './bus.ts';
import { Unreadable } from './unreadable.ts';

export const DEFAULT_RETRY: RetryPolicy = { initialMs: 100, maximumMs: 30_000, attempts: 12 };

/** `null` if the message is done; otherwise the delay until its redelivery, in milliseconds. */
export type Deliver = (message: RawMessage) => Promise<number | null>;

interface DeliveryOptions extends Pick<ConsumeOptions, 'group' | 'handle' | 'deadLetter' | 'retry'> {
  readonly read: (message: RawMessage) => Promise<ReceivedEvent>;
  readonly log: Log;
}

/**
 * Processes one message to its end: the handler's effect or a dead letter. Shared by both kinds of bus, so that they
 * behave the same.
 */
export function delivery(options: DeliveryOptions): Deliver {
  const { group, log } = options;
  const retry = options.retry ?? DEFAULT_RETRY;
  /** Failures of the current message of each partition. */
  const heads = new Map<string, { readonly offset: string; readonly failures: number; readonly handled: number }>();

  return async (message) => {
    const { topic, partition, offset } = message.position;
    const head = `${topic} ${partition}`;
    const known = heads.get(head);
    const before = known?.offset === offset ? known : { offset, failures: 0, handled: 0 };
    let handled = before.handled;

    const bury = async (reason: DeadLetterReason, detail: string) => {
      await options.deadLetter({ group, message, reason, detail });
      log.error({ group, topic, partition, offset, reason, detail }, 'message moved to the dead letters');
    };

    try {
      try {
        const event = await options.read(message);
        handled += 1;
        await options.handle(event);
      } catch (error) {
        if (error instanceof Unreadable) await bury(error.reason, error.message);
        // Call the handler again before storing the dead letter: after an outage it may succeed. A message that
        // cannot be decoded because the registry is unavailable is retried without limit.
        else if (handled > before.handled && handled >= retry.attempts) await bury('handler_failed', textOf(error));
        else throw error;
      }
      heads.delete(head);
      return null;
    } catch (error) {
      const failures = before.failures + 1;
      heads.set(head, { offset, failures, handled });
      const waitMs = backoff(retry, failures);
      log.warn({ group, topic, partition, offset, failures, waitMs, error: textOf(error) }, 'message will be retried');
      return waitMs;
    }
  };
}

/** Kind and code of an error, without its message: messages of database drivers contain values of rows. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error ? `${error.name} ${String(error.code)}` : error.name;
}
