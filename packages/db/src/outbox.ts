import { traceparent } from '@enterprise-access/tracing';
import { v7 } from 'uuid';
import { currentOrigin, storeRecorded, touch } from './audit.ts';
import type { Connection, Database, Transaction } from './knex.ts';
import { underLease } from './lease.ts';
import { outbox, outboxLanes } from './platform-tables.ts';
import { insertAbsent } from './upsert.ts';

/** A message that must follow a change: an event for other services or a job for the worker. */
export interface OutboxMessage {
  readonly kind: 'event' | 'job';
  /** Event type or job name. */
  readonly name: string;
  /** Messages with the same key keep their order. */
  readonly key: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Customer of the message; null if it concerns none or several. */
  readonly enterpriseCustomerUuid: string | null;
  /** Set by callers who need the id; default a new one. */
  readonly uuid?: string;
}

/** Fixed: changing it would move keys between shards while messages are in flight. */
export const OUTBOX_SHARDS = 16;

/** FNV-1a hash of the key's UTF-16 units; must be well distributed and never change. */
export function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % OUTBOX_SHARDS;
}

/** Stores messages in the transaction of their change, and what it has recorded so far with them. */
export async function appendToOutbox(trx: Transaction, now: Date, messages: readonly OutboxMessage[]): Promise<void> {
  if (messages.length === 0) return;
  touch(trx);
  await storeRecorded(trx, trx(outbox.table).insert(rowsOf(now, messages)));
}

/** As `appendToOutbox`, but a message whose uuid is there already is not stored again. Returns how many were new. */
export async function appendOnceToOutbox(
  trx: Transaction,
  now: Date,
  messages: readonly (OutboxMessage & { readonly uuid: string })[],
): Promise<number> {
  const appended = await insertAbsent(trx, outbox.table, rowsOf(now, messages));
  if (appended > 0) touch(trx);
  return appended;
}

function rowsOf(now: Date, messages: readonly OutboxMessage[]) {
  // The messages continue the current trace.
  const trace = traceparent();
  const correlationId = currentOrigin()?.correlationId ?? null;
  return messages.map((message) =>
    outbox.encode({
      uuid: message.uuid ?? v7(),
      enterpriseCustomerUuid: message.enterpriseCustomerUuid,
      kind: message.kind,
      name: message.name,
      messageKey: message.key,
      payload: message.payload,
      trace,
      correlationId,
      created: now,
      shard: shardOf(message.key),
    }),
  );
}

/** A stored message, as the relay publishes it. */
export interface StoredMessage {
  readonly uuid: string;
  readonly kind: OutboxMessage['kind'];
  readonly name: string;
  readonly key: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly trace: string | null;
  /** Shared by everything that follows from one call. */
  readonly correlationId: string | null;
  readonly created: Date;
}

const messageOf = (raw: object): StoredMessage => {
  const { messageKey: key, shard: _shard, enterpriseCustomerUuid: _customer, ...message } = outbox.decode(raw);
  return { ...message, key };
};

/**
 * A partition of the outbox by kind and shard. Events and jobs have separate lanes, so that they do not block each
 * other.
 */
export interface Lane {
  readonly kind: OutboxMessage['kind'];
  readonly shard: number;
}

/** Lanes with unsent messages; equally fast for any number of messages. */
export const lanesWithMessages = (db: Connection): Promise<Lane[]> =>
  db('outbox_lanes as l')
    .whereExists((unsent) =>
      unsent.from('outbox as o').whereRaw('o.kind = l.kind and o.shard = l.shard and o.sent is null').select('o.shard'),
    )
    .select('l.kind', 'l.shard');

/** Options for publishing messages of a lane. */
interface Relaying {
  /** Maximum number of messages. */
  readonly limit: number;
  /** Names of messages to skip, because their destination is full. */
  readonly except: readonly string[];
  readonly publish: (messages: readonly StoredMessage[]) => Promise<void>;
}

/**
 * Publishes the oldest unsent messages of a lane, in order, and marks them as sent. If `publish` fails, nothing is
 * marked; after a crash in between, messages are repeated, and receivers detect them by uuid. Messages with names in
 * `except` are skipped. Returns the number of messages; zero also if another relay holds the lane.
 */
export async function relayLane(db: Database, lane: Lane, { limit, except, publish }: Relaying): Promise<number> {
  const relayed = await underLease(db, outboxLanes.table, { ...lane }, async ({ finish }) => {
    const rows: { position: number }[] = await db(outbox.table)
      .where({ ...lane })
      .whereNull('sent')
      .whereNotIn('name', [...except])
      .orderBy('position')
      .limit(limit)
      .select('position', 'uuid', 'kind', 'name', 'message_key', 'payload', 'trace', 'correlation_id', 'created');
    if (rows.length === 0) return 0;
    await publish(rows.map(messageOf));
    const positions = rows.map(({ position }) => position);
    const isOurs = await finish(async (trx) => {
      const marked = await trx(outbox.table).whereIn('position', positions).update({ sent: new Date() });
      if (marked !== rows.length) throw new Error('Messages were removed from the outbox while they were published.');
    });
    if (!isOurs) throw new Error('The lease of the lane was lost: its messages are handed on again.');
    return rows.length;
  });
  return relayed ?? 0;
}

/** Number of unsent messages, and the time of the oldest. */
export async function outboxBacklog(db: Connection): Promise<{ waiting: number; oldest: Date | null }> {
  const [row] = await db(outbox.table).whereNull('sent').count({ waiting: '*' }).min({ oldest: 'created' });
  return { waiting: Number(row?.waiting ?? 0), oldest: (row?.oldest as Date | null | undefined) ?? null };
}
