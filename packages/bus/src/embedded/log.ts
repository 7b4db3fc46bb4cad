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

/** A message as a row keeps it. */
export interface LogEntry {
  readonly topic: string;
  readonly id: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

/**
 * Appends messages to the logs of their topics, in one transaction; a message whose id is there already is left out.
 * The topic's row is held until the commit, so positions appear in order and without gaps: a reader that has seen
 * position 7 will never find a new 6 behind it.
 */
export async function appendToLog(db: Database, entries: readonly LogEntry[], published: Date): Promise<void> {
  const byTopic = Map.groupBy(entries, ({ topic }) => topic);
  // Before the transaction: on MySQL, an insert that finds the row takes a lock that stands in the way of the next one.
  for (const topic of byTopic.keys()) {
    if (!(await db(busTopics.table).where({ topic }).first('topic')))
      await insertIfAbsent(db, busTopics.table, { topic, last_position: 0 });
  }
  await transaction(db, async (trx) => {
    // In one order everywhere: two writers with the same topics wait for each other, never both.
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

/** Puts a new group at the beginning of a topic; one that has a position keeps it. */
export async function startGroup(db: Database, options: { group: string; topic: string }): Promise<void> {
  const key = { consumer_group: options.group, topic: options.topic };
  if (!(await db(busPositions.table).where(key).first('position')))
    await insertIfAbsent(db, busPositions.table, { ...key, position: 0 });
}

/** Those of the topics that hold messages which the group has not finished. */
export const topicsWithWork = (db: Database, group: string, topics: readonly string[]): Promise<string[]> =>
  db('bus_topics as t')
    .join('bus_positions as p', (join) => join.on('p.topic', 't.topic').andOnVal('p.consumer_group', group))
    .whereIn('t.topic', [...topics])
    .whereRaw('t.last_position > p.position')
    .pluck('t.topic');

/** Messages that one transaction takes at most; a stop waits for one message, not for all of them. */
const BATCH = 100;

/**
 * Hands messages of a topic to `take`, in order, until it says false. No other process of the group takes any in the
 * meantime. Returns how many messages are left, or null when another process is at it.
 */
export const takeFromLog = (
  db: Database,
  options: { group: string; topic: string; take: (message: RawMessage) => Promise<boolean> },
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
      if (signal.aborted || !(await options.take(rawMessage(row)))) break;
      position = row.position;
    }
    const isOurs = await finish(async (trx) => {
      if (position !== found.position) await trx(busPositions.table).where(key).update({ position });
    });
    return isOurs ? (await lastPosition(db, options.topic)) - position : null;
  });
};

/** Sets the position of a group before the first message of an instant or later. */
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
    // Without its lease, a process that is taking messages does not store how far it came.
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
