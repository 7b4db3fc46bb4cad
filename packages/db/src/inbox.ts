import type { Connection, Transaction } from './knex.ts';
import { inbox } from './platform-tables.ts';
import { insertIfAbsent } from './upsert.ts';

/**
 * Claims a consumed message in the transaction of its effect. Returns false for a redelivery, whose effect exists
 * already.
 */
export const claimMessage = (trx: Transaction, message: { consumer: string; messageId: string; received: Date }) =>
  insertIfAbsent(trx, inbox.table, inbox.encode(message));

/** Ids of processed messages of a consumer, within a range of ids in text order. */
export async function consumedBetween(
  db: Connection,
  consumer: string,
  first: string,
  last: string,
): Promise<string[]> {
  return db(inbox.table).where({ consumer }).whereBetween('message_id', [first, last]).pluck('message_id');
}
