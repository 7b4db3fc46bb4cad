import { transaction } from '@enterprise-access/db';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import { defineJob, type JobRun } from '../kernel/jobs/job.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { snakeCase } from '../kernel/wire.ts';
import type { Viewer } from './filter.ts';
import * as store from './store.ts';
import { changeOf, entryOf } from './view.ts';

export const writeExport = defineJob({
  name: 'audit.writeExport',
  summary: 'Write entries of the audit trail to a file, part by part; after an interruption it goes on where it was.',
  payload: z.object({ exportUuid: z.guid(), enterpriseCustomerUuid: z.guid().nullable() }),
  result: z.object({ lineCount: z.int().min(0), partCount: z.int().min(0) }),
  retry: { limit: 10, delaySeconds: 5, maximumDelaySeconds: 300 },
  timeoutSeconds: 3_600,
  reportsProgress: true,
});

/** Entries that are read at once. */
const ENTRIES = 200;
/** Lines of one part, about a megabyte. */
const LINES = 1_000;

interface Line {
  readonly entry: store.EntryRow;
  /** Null for an entry without changes. */
  readonly change: store.ChangeRow | null;
}

export async function onWriteExport(
  { runtime, signal, dryRun, progress }: JobRun,
  { exportUuid }: z.infer<typeof writeExport.payload>,
): Promise<z.infer<typeof writeExport.result>> {
  const wanted = await store.findExport(runtime.db, exportUuid);
  if (wanted && !dryRun && wanted.finished === null) await writeAll(runtime, wanted, signal, progress);
  const { last, lineCount } = await store.writtenSoFar(runtime.db, exportUuid);
  return { lineCount, partCount: last?.position ?? 0 };
}

async function writeAll(
  runtime: Runtime,
  wanted: store.ExportRow,
  signal: AbortSignal,
  progress: JobRun['progress'],
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const { last, lineCount } = await store.writtenSoFar(runtime.db, wanted.uuid);
    await progress(lineCount, null);
    const lines = await nextLines(runtime, wanted, last);
    const end = lines.at(-1);
    if (!end) break;
    await store.insertPart(runtime.db, {
      exportUuid: wanted.uuid,
      position: (last?.position ?? 0) + 1,
      enterpriseCustomerUuid: wanted.enterpriseCustomerUuid,
      content: textOf(wanted, lines, last === undefined),
      lineCount: lines.length,
      lastEntryUuid: end.entry.uuid,
      lastChange: end.change?.position ?? 0,
      created: runtime.clock(),
    });
  }
  await transaction(runtime.db, (trx) => store.finishExport(trx, wanted, runtime.clock()));
}

const viewerOf = ({ enterpriseCustomerUuid, isInternal }: store.ExportRow): Viewer => ({
  customer: enterpriseCustomerUuid,
  isInternal,
});

/** The lines after those that are written; whole entries as far as they fit, the rest of a long one in later parts. */
async function nextLines(
  { db }: Pick<Runtime, 'db'>,
  wanted: store.ExportRow,
  last: store.PartRow | undefined,
): Promise<Line[]> {
  const to = wanted.filter?.to;
  const entries = await store.entriesOf(
    db,
    viewerOf(wanted),
    // Nothing that came after the wish for it, so that it has an end.
    { ...wanted.filter, to: to !== undefined && to < wanted.uuid ? to : wanted.uuid },
    { order: 'asc', after: last?.lastEntryUuid ?? null, isInclusive: true, limit: ENTRIES },
  );
  const begun = last && { entryUuid: last.lastEntryUuid, position: last.lastChange };
  const uuids = entries.map(({ uuid }) => uuid);
  const changes = await store.changesOfEntries(db, uuids, begun ?? null, LINES);
  // The next part begins where the changes end that were read.
  const end = changes.length === LINES ? changes.at(-1)?.entryUuid : undefined;
  const ofEntry = Map.groupBy(changes, ({ entryUuid }) => entryUuid);
  return entries
    .filter(({ uuid }) => end === undefined || uuid <= end)
    .flatMap((entry): Line[] => {
      const own = ofEntry.get(entry.uuid);
      if (own) return own.map((change) => ({ entry, change }));
      return entry.uuid === begun?.entryUuid ? [] : [{ entry, change: null }];
    });
}

/** Addresses are left out: a file could not forget them. */
function recordOf(viewer: Viewer, { entry, change }: Line) {
  const { actor, ...fields } = entryOf(entry, viewer);
  const {
    learnerEmail: _address,
    followsCorrelationId,
    ...changed
  } = change === null ? { learnerEmail: null, followsCorrelationId: null, ...NO_CHANGE } : changeOf(change, viewer);
  return {
    entry_uuid: fields.uuid,
    created: fields.created.toISOString(),
    enterprise_customer_uuid: fields.enterpriseCustomerUuid,
    operation: fields.operation,
    source: fields.source,
    actor_kind: actor.kind,
    actor_role: actor.role,
    actor_user_id: actor.userId,
    request_id: fields.requestId,
    correlation_id: fields.correlationId,
    reason: fields.reason,
    position: changed.position,
    subject_kind: changed.subjectKind,
    subject_uuid: changed.subjectUuid,
    action: changed.action,
    note: changed.note,
    lms_user_id: changed.lmsUserId,
    follows_correlation_id: followsCorrelationId,
    before: named(changed.before),
    after: named(changed.after),
  };
}

/** Fields as the columns beside them are named. */
const named = (values: Readonly<Record<string, unknown>> | null) =>
  values && Object.fromEntries(Object.entries(values).map(([name, value]) => [snakeCase(name), value]));

const NO_CHANGE = {
  position: null,
  subjectKind: null,
  subjectUuid: null,
  action: null,
  note: null,
  lmsUserId: null,
  before: null,
  after: null,
};

function textOf(wanted: store.ExportRow, lines: readonly Line[], isFirst: boolean): string {
  const records = lines.map((line) => recordOf(viewerOf(wanted), line));
  if (wanted.format === 'jsonl') return records.map((record) => `${JSON.stringify(record)}\n`).join('');
  const cells = records.map(({ before, after, ...record }) => ({
    ...record,
    before: before && JSON.stringify(before),
    after: after && JSON.stringify(after),
  }));
  // A text that a spreadsheet would take for a formula gets a quote in front.
  return stringify(cells, { header: isFirst, escape_formulas: true, record_delimiter: 'windows' });
}
