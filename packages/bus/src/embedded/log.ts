import {
  busMessages,
  busPositions,
  busTopics,
  type Connection,
  type Database,
  insertIfAbsent,
  type Row,
  transaction,
  underLease,
} from '@enterprise-access/db';
import type { RawMessage } from '../bus.ts';

/** A message as stored in a row. */
export interface LogEntry {
  readonly topic: string;
  readonly id: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * Appends messages to the logs of their topics in one transaction; messages whose id exists are skipped. The topic
 * row is locked until the commit, so positions become visible in order: after position 7, a reader never misses a
 * later 6.
 */
export async function appendToLog(db: Database, entries: readonly LogEntry[], published: Date): Promise<void> {
  const byTopic = Map.groupBy(entries, ({ topic }) => topic);
  // Before the transaction: on MySQL, an insert of an existing row takes a lock that blocks the next one.
  for (const topic of byTopic.keys()) {
    if (!(await db(busTopics.table).where({ topic }).first('topic')))
      await insertIfAbsent(db, busTopics.table, { topic, last_position: 0 });
  }
  await transaction(db, async (trx) => {
    // Lock topics in one order, so that two writers cannot deadlock.
    for (const topic of [...byTopic.keys()].sort()) {
      const { last_position: last } = await trx(busTopics.table).where({ topic }).forUpdate().first('last_position');
      const unique = new Map((byTopic.get(topic) ?? []).map((entry) => [entry.id, entry]));
      const known = await trx(busMessages.table)
        .where({ topic })
        .whereIn('message_id', [...unique.keys()])
        .pluck('message_id');
      for (const id of known) unique.delete(id);
      if (unique.size === 0) continue;
      const rows = [...unique.values()].map((entry, index) =>
        busMessages.encode({
          topic,
          position: last + index + 1,
          messageId: entry.id,
          messageKey: entry.key,
          headers: entry.headers,
          payload: entry.payload,
          published,
        }),
      );
      await trx(busMessages.table).insert(rows);
      await trx(busTopics.table)
        .where({ topic })
        .update({ last_position: last + rows.length });
    }
  });
}

const lastPosition = async (db: Connection, topic: string): Promise<number> =>
  (await db(busTopics.table).where({ topic }).first('last_position'))?.last_position ?? 0;

/** Sets a new group to the beginning of a topic; an existing position is kept. */
export async function startGroup(db: Database, options: { group: string; topic: string }): Promise<void> {
  const key = { consumer_group: options.group, topic: options.topic };
  if (!(await db(busPositions.table).where(key).first('position')))
    await insertIfAbsent(db, busPositions.table, { ...key, position: 0 });
}

/** Topics with messages that the group has not processed. */
export const topicsWithWork = (db: Database, group: string, topics: readonly string[]): Promise<string[]> =>
  db('bus_topics as t')
    .join('bus_positions as p', (join) => join.on('p.topic', 't.topic').andOnVal('p.consumer_group', group))
    .whereIn('t.topic', [...topics])
    .whereRaw('t.last_position > p.position')
    .pluck('t.topic');

/** Maximum number of messages per transaction. A stop waits for the current message only. */
const BATCH = 100;

/**
 * Passes messages of a topic to `handle`, in order, until it returns false. No other process of the group reads the
 * topic meanwhile. Returns the number of remaining messages, or null if another process holds the lease.
 */
export const takeFromLog = (
  db: Database,
  options: { group: string; topic: string; handle: (message: RawMessage) => Promise<boolean> },
): Promise<number | null> => {
  const key = { consumer_group: options.group, topic: options.topic };
  return underLease(db, busPositions.table, key, async ({ finish, signal }) => {
    const found = await db(busPositions.table).where(key).first('position');
    const rows: object[] = await db(busMessages.table)
      .where({ topic: options.topic })
      .where('position', '>', found.position)
      .orderBy('position')
      .limit(BATCH);
    let position: number = found.position;
    for (const row of rows.map(busMessages.decode)) {
      if (signal.aborted || !(await options.handle(rawMessage(row)))) break;
      position = row.position;
    }
    const isOurs = await finish(async (trx) => {
      if (position !== found.position) await trx(busPositions.table).where(key).update({ position });
    });
    return isOurs ? (await lastPosition(db, options.topic)) - position : null;
  });
};

/** Sets the position of a group before the first message at or after a time. */
export async function rewindLog(db: Database, options: { group: string; topic: string; to: Date }): Promise<void> {
  await startGroup(db, options);
  await transaction(db, async (trx) => {
    const key = { consumer_group: options.group, topic: options.topic };
    const first = await trx(busMessages.table)
      .where({ topic: options.topic })
      .where('published', '>=', options.to)
      .min({ position: 'position' })
      .first();
    const position = first?.position ? first.position - 1 : await lastPosition(trx, options.topic);
    // Removing the lease keeps a running consumer from storing its position.
    await trx(busPositions.table).where(key).update({ position, lease_owner: null, lease_ends: null });
  });
}

const rawMessage = ({ topic, position, messageKey, headers, payload }: Row<typeof busMessages>): RawMessage => ({
  position: { topic, partition: 0, offset: String(position) },
  key: Buffer.from(messageKey, 'utf8'),
  value: Buffer.from(JSON.stringify(payload), 'utf8'),
  headers: Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [name, values.map((value) => Buffer.from(value, 'utf8'))]),
  ),
});
