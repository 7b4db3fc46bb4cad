import { busMessages, deadLetters, inbox, outbox } from '@enterprise-access/db';
import { z } from 'zod';
import { bulkExpiry } from '../assignments/index.ts';
import { exportExpiry } from '../audit/index.ts';
import { type Expiry, expiryOf } from '../kernel/expiry.ts';
import { idempotencyRecords, REPLAY_MS } from '../kernel/idempotency.ts';
import { defineJob, implementJob } from '../kernel/jobs/job.ts';
import { jobRuns } from '../kernel/jobs/runs.ts';
import { mailExpiry } from '../mail/index.ts';

const DAY_MS = 86_400_000;
const days = (standard: number) => z.int().min(1).max(3_650).default(standard);
const count = z.int().min(0);

const contract = defineJob({
  name: 'housekeeping.expire',
  summary:
    'Delete expired data: replies for idempotency keys, sent messages, messages of the bus, settled dead letters, consumed message ids, job reports, records of mails, exports of the audit trail.',
  payload: z.object({
    outboxDays: days(7).describe('Days to keep sent messages, for troubleshooting.'),
    busDays: days(14).describe(
      'Days to keep messages of the database bus; consumers that are down for longer miss them.',
    ),
    deadLetterDays: days(30).describe('Days to keep settled dead letters.'),
    inboxDays: days(30).describe('Days to keep ids of consumed messages; must exceed the retention of the bus.'),
    allocationDays: days(30).describe('Days to keep lists of bulk allocations with their addresses.'),
    jobRunDays: days(30).describe('Days to keep reports of finished jobs.'),
    auditExportDays: days(7).describe('Days to keep exports of the audit trail.'),
    mailDays: days(365).describe(
      'Days to keep records of mails, during which a mail with the same key is not sent again.',
    ),
    batch: z.int().min(1).max(100_000).default(5_000).describe('Rows per statement.'),
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
    auditExportParts: count,
    auditExports: count,
  }),
  keyOf: () => 'all',
  retry: { limit: 3, delaySeconds: 60, maximumDelaySeconds: 600 },
  timeoutSeconds: 3_600,
});

/** Data with a retention time, by its name in the job's report. */
const expiries = {
  idempotencyRecords: expiryOf(idempotencyRecords, 'created'),
  outbox: expiryOf(outbox, 'sent'),
  busMessages: expiryOf(busMessages, 'published'),
  deadLetters: expiryOf(deadLetters, 'settled'),
  inbox: expiryOf(inbox, 'received'),
  jobRuns: expiryOf(jobRuns, 'finished'),
  allocationChunks: bulkExpiry.chunks,
  allocationBatches: bulkExpiry.batches,
  auditExportParts: exportExpiry.parts,
  auditExports: exportExpiry.exports,
  mails: mailExpiry,
} as const;

export const expireJob = implementJob(contract, async ({ runtime, dryRun, signal }, payload) => {
  const { db, clock } = runtime;
  const ages: Readonly<Record<keyof typeof expiries, number>> = {
    idempotencyRecords: REPLAY_MS,
    outbox: payload.outboxDays * DAY_MS,
    busMessages: payload.busDays * DAY_MS,
    deadLetters: payload.deadLetterDays * DAY_MS,
    inbox: payload.inboxDays * DAY_MS,
    jobRuns: payload.jobRunDays * DAY_MS,
    allocationChunks: payload.allocationDays * DAY_MS,
    allocationBatches: payload.allocationDays * DAY_MS,
    auditExportParts: payload.auditExportDays * DAY_MS,
    auditExports: payload.auditExportDays * DAY_MS,
    mails: payload.mailDays * DAY_MS,
  };
  const done = { ...ages };
  for (const [name, { count, expire }] of Object.entries(expiries) as [keyof typeof done, Expiry][]) {
    const before = new Date(clock().getTime() - ages[name]);
    done[name] = await (dryRun ? count(db, before) : expire(db, before, payload.batch, signal));
  }
  return done;
});
