import type { DeadLetter, OutgoingEvent, RawMessage } from '@enterprise-access/bus';
import { type Connection, insertIfAbsent } from '@enterprise-access/db';
import { newUuid } from '@enterprise-access/domain';
import { z } from 'zod';

const LONGEST_DETAIL = 1_000;

const incoming = z.object({
  key: z.base64().nullable(),
  value: z.base64().nullable(),
  headers: z.record(z.string(), z.array(z.base64())),
});
const outgoing = z.object({
  id: z.string(),
  type: z.string(),
  key: z.string(),
  data: z.record(z.string(), z.unknown()),
  time: z.coerce.date(),
  trace: z.string().nullable().default(null),
});

/** Stores a received message that could not be processed. Idempotent. */
export async function keepIncoming(db: Connection, letter: DeadLetter, now: Date): Promise<void> {
  const { key, value, headers, position } = letter.message;
  const message: z.input<typeof incoming> = {
    key: key?.toString('base64') ?? null,
    value: value?.toString('base64') ?? null,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [name, values.map((each) => each.toString('base64'))]),
    ),
  };
  await insertIfAbsent(db, 'dead_letters', {
    uuid: newUuid(),
    direction: 'in',
    consumer_group: letter.group,
    topic: position.topic,
    partition_number: position.partition,
    position: position.offset,
    message: JSON.stringify(message),
    reason: letter.reason,
    detail: letter.detail.slice(0, LONGEST_DETAIL),
    created: now,
  });
}

/** Stores an event that the bus rejected. Idempotent by the id of the event. */
export async function keepOutgoing(db: Connection, event: OutgoingEvent, reason: string, now: Date): Promise<void> {
  await insertIfAbsent(db, 'dead_letters', {
    uuid: event.id,
    direction: 'out',
    topic: event.type.slice(0, 120),
    message: JSON.stringify(event),
    reason: 'refused',
    detail: reason.slice(0, LONGEST_DETAIL),
    created: now,
  });
}

interface Row {
  uuid: string;
  direction: 'in' | 'out';
  topic: string;
  partition_number: number | null;
  position: string | null;
  message: unknown;
}

export type StoredDeadLetter =
  | { readonly uuid: string; readonly direction: 'in'; readonly message: RawMessage }
  | { readonly uuid: string; readonly direction: 'out'; readonly event: OutgoingEvent };

function deadLetterOf(row: Row): StoredDeadLetter {
  // MariaDB keeps JSON as text.
  const json: unknown = typeof row.message === 'string' ? JSON.parse(row.message) : row.message;
  if (row.direction === 'out') return { uuid: row.uuid, direction: 'out', event: outgoing.parse(json) };
  const { key, value, headers } = incoming.parse(json);
  const bytes = (text: string) => Buffer.from(text, 'base64');
  const message: RawMessage = {
    position: { topic: row.topic, partition: row.partition_number ?? 0, offset: row.position ?? '0' },
    key: key === null ? null : bytes(key),
    value: value === null ? null : bytes(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values.map(bytes)])),
  };
  return { uuid: row.uuid, direction: 'in', message };
}

/** Open dead letters, oldest first. */
export async function open(db: Connection, limit: number): Promise<StoredDeadLetter[]> {
  const rows: Row[] = await db('dead_letters').whereNull('settled').orderBy(['created', 'uuid']).limit(limit);
  return rows.map(deadLetterOf);
}

export async function countOpen(db: Connection): Promise<number> {
  const row = await db('dead_letters').whereNull('settled').count({ n: '*' }).first();
  return Number(row?.n ?? 0);
}

export const settle = (db: Connection, uuid: string, now: Date): Promise<number> =>
  db('dead_letters').where({ uuid }).update({ settled: now });
