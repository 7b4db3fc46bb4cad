import type { DeadLetter, OutgoingEvent, RawMessage } from '@enterprise-access/bus';
import { type Connection, deadLetters, insertIfAbsent, type Row } from '@enterprise-access/db';
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
  const row = deadLetters.encode({
    uuid: newUuid(),
    direction: 'in',
    consumerGroup: letter.group,
    topic: position.topic,
    partitionNumber: position.partition,
    position: position.offset,
    message,
    reason: letter.reason,
    detail: letter.detail.slice(0, LONGEST_DETAIL),
    created: now,
  });
  await insertIfAbsent(db, deadLetters.table, row);
}

/** Stores an event that the bus rejected. Idempotent by the id of the event. */
export async function keepOutgoing(db: Connection, event: OutgoingEvent, reason: string, now: Date): Promise<void> {
  const row = deadLetters.encode({
    uuid: event.id,
    direction: 'out',
    topic: event.type.slice(0, 120),
    message: event,
    reason: 'refused',
    detail: reason.slice(0, LONGEST_DETAIL),
    created: now,
  });
  await insertIfAbsent(db, deadLetters.table, row);
}

export type StoredDeadLetter =
  | { readonly uuid: string; readonly direction: 'in'; readonly message: RawMessage }
  | { readonly uuid: string; readonly direction: 'out'; readonly event: OutgoingEvent };

function deadLetterOf(row: Row<typeof deadLetters>): StoredDeadLetter {
  if (row.direction === 'out') return { uuid: row.uuid, direction: 'out', event: outgoing.parse(row.message) };
  const { key, value, headers } = incoming.parse(row.message);
  const bytes = (text: string) => Buffer.from(text, 'base64');
  const message: RawMessage = {
    position: { topic: row.topic, partition: row.partitionNumber ?? 0, offset: row.position ?? '0' },
    key: key === null ? null : bytes(key),
    value: value === null ? null : bytes(value),
    headers: Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values.map(bytes)])),
  };
  return { uuid: row.uuid, direction: 'in', message };
}

/** Open dead letters, oldest first. */
export async function open(db: Connection, limit: number): Promise<StoredDeadLetter[]> {
  const rows = deadLetters.query(db).whereNull('settled').orderBy(['created', 'uuid']).limit(limit);
  return (await rows).map(deadLetterOf);
}

export async function countOpen(db: Connection): Promise<number> {
  const row = await db(deadLetters.table).whereNull('settled').count({ n: '*' }).first();
  return Number(row?.n ?? 0);
}

export const markSettled = (db: Connection, uuid: string, now: Date): Promise<number> =>
  db(deadLetters.table).where({ uuid }).update({ settled: now });
