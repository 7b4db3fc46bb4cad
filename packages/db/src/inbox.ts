import type { Transaction } from './knex.ts';
import { insertIfAbsent } from './upsert.ts';

/**
 * Claims a consumed message in the transaction of its effect.
 * False means that the effect is already there and the message is a redelivery.
 */
export const claimMessage = (trx: Transaction, message: { consumer: string; messageId: string; received: Date }) =>
  insertIfAbsent(trx, 'inbox', {
    consumer: message.consumer,
    message_id: message.messageId,
    received: message.received,
  });
