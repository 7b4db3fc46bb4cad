import {
  type DeadLetter,
  type EventBus,
  type Lag,
  type ReceivedEvent,
  type Subscription,
  Unreadable,
} from '@enterprise-access/bus';
import { type Consumer, type Runtime, UnusableEvent, withRequestId } from '@enterprise-access/domain';
import { inSpan, SpanKind } from '@enterprise-access/tracing';
import * as deadLetters from './dead-letter-store.ts';
import { topicsOf } from './rewind.ts';

/** Runs the consumer of an event. Event types without a consumer are ignored. */
export async function handle(runtime: Runtime, consumers: readonly Consumer[], event: ReceivedEvent): Promise<void> {
  const consumer = consumers.find(({ type }) => type === event.type);
  if (!consumer) return;
  try {
    const span = { kind: SpanKind.CONSUMER, parent: event.trace, attributes: { 'messaging.message.id': event.id } };
    await inSpan(`process ${event.type}`, span, () => withRequestId(event.id, () => consumer.consume(runtime, event)));
  } catch (error) {
    if (error instanceof UnusableEvent) throw new Unreadable('invalid_data', error.message, { cause: error });
    throw error;
  }
}

export interface ConsumingOptions {
  readonly bus: EventBus;
  readonly runtime: Runtime;
  readonly consumers: readonly Consumer[];
  readonly group: string;
  readonly onLag?: (lag: Lag) => void;
}

/** Subscribes to the topics of all consumers. */
export function startConsuming(options: ConsumingOptions): Subscription {
  const { bus, runtime, consumers, group, onLag } = options;
  return bus.consume({
    group,
    topics: topicsOf(consumers),
    handle: (event) => handle(runtime, consumers, event),
    deadLetter: (letter: DeadLetter) => deadLetters.keepIncoming(runtime.db, letter, runtime.clock()),
    ...(onLag ? { onLag } : {}),
  });
}
