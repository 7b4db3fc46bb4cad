import type { Connection, Transaction } from './knex.ts';
import { inbox } from './platform-tables.ts';
import { insertIfAbsent } from './upsert.ts';

/**
 * Claims a consumed message in the transaction of its effect.
 * False means that the effect is already there and the message is a redelivery.
 */
export const claimMessage = (trx: Transaction, message: { consumer: string; messageId: string; received: Date }) =>
  insertIfAbsent(trx, inbox.table, inbox.encode(message));

/** Ids of messages that a consumer has dealt with, from one id to another in the order of text. */
export async function consumedBetween(
  db: Connection,
  consumer: string,
  first: string,
  last: string,
): Promise<string[]> {
  return db(inbox.table).where({ consumer }).whereBetween('message_id', [first, last]).pluck('message_id');
}
