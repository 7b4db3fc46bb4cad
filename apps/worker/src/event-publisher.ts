import type { EventBus } from '@enterprise-access/bus';
import type { Runtime } from '@enterprise-access/domain';
import * as deadLetters from './dead-letter-store.ts';
import { handOver } from './hand-over.ts';
import type { Publisher } from './relay.ts';

/** Publishes events. An event that the bus rejects becomes a dead letter, so that it does not block the others. */
export const eventPublisher = (
  { db, clock, log }: Pick<Runtime, 'db' | 'clock' | 'log'>,
  bus: EventBus,
): Publisher => ({
  async publish(messages) {
    const publishing = handOver('publish', messages);
    const events = publishing.messages.map(
      ({ uuid: id, name: type, key, payload: data, created: time, trace, correlationId }) => ({
        id,
        type,
        key,
        data,
        time,
        trace,
        correlationId,
      }),
    );
    for (const { event, reason } of await publishing.during(() => bus.publish(events))) {
      log.error({ event: event.id, type: event.type, reason }, 'an event cannot be published');
      await deadLetters.keepOutgoing(db, event, reason, clock());
    }
  },
  saturated: async () => [],
});
