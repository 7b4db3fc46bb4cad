import type { Database } from '@enterprise-access/db';
import { z } from 'zod';
import { REPLAY_MS } from '../kernel/idempotency.ts';
import { defineJob, implementJob } from '../kernel/jobs/job.ts';

const DAY_MS = 86_400_000;
const days = (standard: number) => z.int().min(1).max(3_650).default(standard);
const count = z.int().min(0);

const contract = defineJob({
  name: 'housekeeping.expire',
  summary:
    'Delete what nobody asks for any more: old replies, sent messages, messages of the bus, settled dead letters, consumed message ids, reports of jobs, records of mails.',
  payload: z.object({
    outboxDays: days(7).describe('Sent messages are kept for so many days, for those who look into a problem.'),
    busDays: days(14).describe('Messages of the bus in the database; consumers that were away for longer miss them.'),
    deadLetterDays: days(30).describe('Dead letters that were dealt with.'),
    inboxDays: days(30).describe('Longer than any bus keeps messages that it could deliver again.'),
    allocationDays: days(30).describe('Lists of bulk allocations, with the addresses on them.'),
    jobRunDays: days(30).describe('Reports of finished jobs.'),
    mailDays: days(365).describe('A mail with the same key is not sent again for so long.'),
    batch: z.int().min(1).max(100_000).default(5_000).describe('Rows of one statement.'),
  }),
  result: z.object({
    idempotencyRecords: count,
    outbox: count,
    busMessages: count,
    deadLetters: count,
    inbox: count,
    jobRuns: count,
    mails: count,
    allocationChunks: count,
    allocationBatches: count,
  }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

interface Expiry {
  readonly table: string;
  /** Column with the time from which the retention counts; rows with null are unfinished and kept. */
  readonly column: string;
  readonly before: Date;
}

const expired = (db: Database, { table, column, before }: Expiry) => db(table).where(column, '<', before);

/** Key columns: a batch of keys is read first, because PostgreSQL has no `delete … limit`. */
const keyColumns: Readonly<Record<string, readonly string[]>> = {
  idempotency_records: ['actor', 'operation', 'idempotency_key'],
  outbox: ['position'],
  bus_messages: ['topic', 'position'],
  dead_letters: ['uuid'],
  inbox: ['consumer', 'message_id'],
  job_runs: ['uuid'],
  allocation_chunks: ['batch_uuid', 'position'],
  allocation_batches: ['uuid'],
  mail_deliveries: ['id'],
};

async function expire(db: Database, expiry: Expiry, batch: number, signal: AbortSignal): Promise<number> {
  const columns = [...(keyColumns[expiry.table] ?? [])];
  let deleted = 0;
  for (;;) {
    signal.throwIfAborted();
    const keys: Record<string, unknown>[] = await expired(db, expiry).limit(batch).select(columns);
    if (keys.length === 0) return deleted;
    deleted += await expired(db, expiry)
      .whereIn(
        columns,
        keys.map((key) => columns.map((column) => key[column]) as never),
      )
      .delete();
  }
}

export const expireJob = implementJob(contract, async ({ runtime, dryRun, signal }, payload) => {
  const { db, clock } = runtime;
  const before = (ms: number) => new Date(clock().getTime() - ms);
  const expiries = {
    idempotencyRecords: { table: 'idempotency_records', column: 'created', before: before(REPLAY_MS) },
    outbox: { table: 'outbox', column: 'sent', before: before(payload.outboxDays * DAY_MS) },
    busMessages: { table: 'bus_messages', column: 'published', before: before(payload.busDays * DAY_MS) },
    deadLetters: { table: 'dead_letters', column: 'settled', before: before(payload.deadLetterDays * DAY_MS) },
    inbox: { table: 'inbox', column: 'received', before: before(payload.inboxDays * DAY_MS) },
    jobRuns: { table: 'job_runs', column: 'finished', before: before(payload.jobRunDays * DAY_MS) },
    allocationChunks: {
      table: 'allocation_chunks',
      column: 'created',
      before: before(payload.allocationDays * DAY_MS),
    },
    allocationBatches: {
      table: 'allocation_batches',
      column: 'created',
      before: before(payload.allocationDays * DAY_MS),
    },
    mails: { table: 'mail_deliveries', column: 'created', before: before(payload.mailDays * DAY_MS) },
  };
  const done = {
    idempotencyRecords: 0,
    outbox: 0,
    busMessages: 0,
    deadLetters: 0,
    inbox: 0,
    jobRuns: 0,
    mails: 0,
    allocationChunks: 0,
    allocationBatches: 0,
  };
  for (const [name, expiry] of Object.entries(expiries) as [keyof typeof done, Expiry][]) {
    if (!dryRun) done[name] = await expire(db, expiry, payload.batch, signal);
    else done[name] = Number((await expired(db, expiry).count({ n: '*' }).first())?.n ?? 0);
  }
  return done;
});
