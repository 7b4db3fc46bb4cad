import { traceparent } from '@enterprise-access/tracing';
import { v7 } from 'uuid';
import type { Connection, Database, Transaction } from './knex.ts';
import { underLease } from './lease.ts';
import { outbox, outboxLanes } from './platform-tables.ts';
import { insertAbsent } from './upsert.ts';

/** What must follow a change and may not be lost: an event for other services or a job for the worker. */
export interface OutboxMessage {
  readonly kind: 'event' | 'job';
  /** Event type or job name. */
  readonly name: string;
  /** Messages with one key keep their order. */
  readonly key: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Customer that the message is about; null when it is about none, or about several. */
  readonly enterpriseCustomerUuid: string | null;
  /** Chosen by callers who tell others about the message; a new one unless given. */
  readonly uuid?: string;
}

/** Fixed: a change would move keys between shards while messages are under way. */
export const OUTBOX_SHARDS = 16;

/** FNV-1a of the key's UTF-16 units; only has to spread well and never change. */
export function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % OUTBOX_SHARDS;
}

/** Stores messages in the transaction of the change that they follow. */
export async function appendToOutbox(trx: Transaction, now: Date, messages: readonly OutboxMessage[]): Promise<void> {
  if (messages.length > 0) await trx(outbox.table).insert(rowsOf(now, messages));
}

/** As `appendToOutbox`, but a message whose uuid is there already is not stored again. Returns how many were new. */
export const appendOnceToOutbox = (
  trx: Transaction,
  now: Date,
  messages: readonly (OutboxMessage & { readonly uuid: string })[],
): Promise<number> => insertAbsent(trx, outbox.table, rowsOf(now, messages));

function rowsOf(now: Date, messages: readonly OutboxMessage[]) {
  // What follows belongs to the trace of what runs now.
  const trace = traceparent();
  return messages.map((message) =>
    outbox.encode({
      uuid: message.uuid ?? v7(),
      enterpriseCustomerUuid: message.enterpriseCustomerUuid,
      kind: message.kind,
      name: message.name,
      messageKey: message.key,
      payload: message.payload,
      trace,
      created: now,
      shard: shardOf(message.key),
    }),
  );
}

/** A message as the relay hands it on. */
export interface StoredMessage {
  readonly uuid: string;
  readonly kind: OutboxMessage['kind'];
  readonly name: string;
  readonly key: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly trace: string | null;
  readonly created: Date;
}

const messageOf = (raw: object): StoredMessage => {
  const { messageKey: key, shard: _shard, enterpriseCustomerUuid: _customer, ...message } = outbox.decode(raw);
  return { ...message, key };
};

/** Events and jobs go different ways, and one that is blocked must not hold up the other. */
export interface Lane {
  readonly kind: OutboxMessage['kind'];
  readonly shard: number;
}

/** Lanes with messages that are not sent yet; as quick with many of them as with none. */
export const lanesWithMessages = (db: Connection): Promise<Lane[]> =>
  db('outbox_lanes as l')
    .whereExists((unsent) =>
      unsent.from('outbox as o').whereRaw('o.kind = l.kind and o.shard = l.shard and o.sent is null').select('o.shard'),
    )
    .select('l.kind', 'l.shard');

/** What is done with messages of a lane. */
interface Handing {
  /** At most so many at once. */
  readonly limit: number;
  /** Names of those whose receiver has enough for now. */
  readonly except: readonly string[];
  readonly hand: (messages: readonly StoredMessage[]) => Promise<void>;
}

/**
 * Hands the oldest unsent messages of a lane on, in order, and marks them as sent. Nothing is marked when `hand` fails; a
 * crash between the two repeats messages, which receivers know by their uuid. Messages of the names in `except` stay.
 * Returns how many were handed on; zero also when another relay has the lane.
 */
export async function relayLane(db: Database, lane: Lane, { limit, except, hand }: Handing): Promise<number> {
  const relayed = await underLease(db, outboxLanes.table, { ...lane }, async ({ finish }) => {
    const rows: { position: number }[] = await db(outbox.table)
      .where({ ...lane })
      .whereNull('sent')
      .whereNotIn('name', [...except])
      .orderBy('position')
      .limit(limit)
      .select('position', 'uuid', 'kind', 'name', 'message_key', 'payload', 'trace', 'created');
    if (rows.length === 0) return 0;
    await hand(rows.map(messageOf));
    const positions = rows.map(({ position }) => position);
    const isOurs = await finish(async (trx) => {
      const marked = await trx(outbox.table).whereIn('position', positions).update({ sent: new Date() });
      if (marked !== rows.length) throw new Error('Messages left the outbox while they were handed on.');
    });
    if (!isOurs) throw new Error('The lease of the lane was lost: its messages are handed on again.');
    return rows.length;
  });
  return relayed ?? 0;
}

/** Number of messages that wait, and since when the oldest does. */
export async function outboxBacklog(db: Connection): Promise<{ waiting: number; oldest: Date | null }> {
  const [row] = await db(outbox.table).whereNull('sent').count({ waiting: '*' }).min({ oldest: 'created' });
  return { waiting: Number(row?.waiting ?? 0), oldest: (row?.oldest as Date | null | undefined) ?? null };
}
