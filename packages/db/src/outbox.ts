import { v7 } from 'uuid';
import type { Transaction } from './knex.ts';

/** What must follow a change and may not be lost: an event for other services or a job for the worker. */
export interface OutboxMessage {
  readonly kind: 'event' | 'job';
  /** Event type or job name. */
  readonly name: string;
  /** Messages with one key keep their order; an enterprise's messages share one. */
  readonly key: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Stores messages in the transaction of the change that they follow. */
export async function appendToOutbox(trx: Transaction, now: Date, messages: readonly OutboxMessage[]): Promise<void> {
  if (messages.length === 0) return;
  await trx('outbox').insert(
    messages.map((message) => ({
      uuid: v7(),
      kind: message.kind,
      name: message.name,
      message_key: message.key,
      payload: JSON.stringify(message.payload),
      created: now,
    })),
  );
}
