import { AsyncLocalStorage } from 'node:async_hooks';
import { isDeepStrictEqual } from 'node:util';
import type { Knex } from 'knex';
import { v7 } from 'uuid';
import type { Connection, Database, Transaction } from './knex.ts';
import type { Subject, TableModel } from './model.ts';
import { insertTogether } from './together.ts';

/** How a change reached us. */
export type AuditSource = 'rest' | 'trpc' | 'job' | 'event' | 'panel' | 'import' | 'system';

/** On whose behalf changes are made, from where and why. One origin is one call, one attempt at a job, or one event. */
export interface Origin {
  /** Id of the operation, name of the job, or type of the event. */
  readonly operation: string;
  readonly source: AuditSource;
  /** Local user id; null for the system itself. */
  readonly actorUserId: number | null;
  /** The role that allowed it. */
  readonly role: string | null;
  readonly requestId: string | null;
  /** Shared by everything that follows from one call: its jobs, its events, and what those change. */
  readonly correlationId: string;
  /** The customer that the call is about, for changes that do not name one. */
  readonly customerUuid: string | null;
  readonly reason: string | null;
}

/** What becomes of an origin in the trail: one entry per customer, written with the first change. */
interface Scope {
  readonly origin: Origin;
  readonly entries: Map<string | null, Entry>;
}

interface Entry {
  readonly uuid: string;
  /** Number of changes so far. */
  size: number;
  /** Some transaction wrote it and was committed. */
  isStored: boolean;
}

const scopes = new AsyncLocalStorage<Scope>();

/** Runs `work` so that every change in it is recorded with this origin. */
export const withOrigin = <T>(origin: Origin, work: () => T): T => scopes.run({ origin, entries: new Map() }, work);

export const currentOrigin = (): Origin | null => scopes.getStore()?.origin ?? null;

/** A row, or the part of it that its slice knows. */
interface IdentifiedRow {
  readonly uuid: string;
}

/** How one row changes. */
export interface RowChange<R extends IdentifiedRow = IdentifiedRow> {
  /** Null for a row that is new. */
  readonly before: R | null;
  /** Null for a row that is deleted. */
  readonly after: R | null;
  /** What was done, where the fields do not say it: `reminded`. */
  readonly note?: string | null;
}

interface Recorded {
  readonly kind: string;
  readonly uuid: string;
  readonly action: 'created' | 'updated' | 'deleted';
  readonly note: string | null;
  readonly customerUuid: string | null;
  readonly lmsUserId: number | null;
  readonly email: string | null;
  readonly correlationId: string | null;
  readonly before: object | null;
  readonly after: object | null;
}

/** What a transaction has done so far. */
interface Pending {
  changes: Recorded[];
  /** Other rows that are written with them. */
  others: Knex.QueryBuilder[];
  /** Something was written, even if no subject changed: an entry is due. */
  isTouched: boolean;
  /** Entries that this transaction has inserted. */
  readonly inserted: Set<Entry>;
  readonly scope: Scope;
}

const pendings = new WeakMap<Transaction, Pending>();

/** Pools that leave no trail, by their configuration, which their transactions share. */
const unrecorded = new WeakSet<object>();

/** Turns the trail off for a pool, to measure what it costs. Exported to tests and benchmarks only. */
export const leaveUnrecorded = (db: Database): void => {
  unrecorded.add(db.client.config);
};
const isUnrecorded = (trx: Transaction): boolean => unrecorded.has(trx.client.config);

/** An origin without a caller; what is not given is null. */
export const systemOrigin = (
  given: Pick<Origin, 'operation' | 'source' | 'correlationId'> & Partial<Origin>,
): Origin => ({ actorUserId: null, role: null, requestId: null, customerUuid: null, reason: null, ...given });

const unattributed = (): Origin => systemOrigin({ operation: 'unknown', source: 'system', correlationId: v7() });

function pendingOf(trx: Transaction): Pending {
  const known = pendings.get(trx);
  if (known) return known;
  const scope = scopes.getStore() ?? { origin: unattributed(), entries: new Map() };
  const pending: Pending = { changes: [], others: [], isTouched: false, inserted: new Set(), scope };
  pendings.set(trx, pending);
  return pending;
}

/** Records changes of rows, to be stored in the transaction that makes them. What is the same as before is no change. */
export function recordChanges<R extends IdentifiedRow>(
  trx: Transaction,
  model: Pick<TableModel, 'table' | 'subject'>,
  changes: readonly RowChange<R>[],
): void {
  const { subject } = model;
  if (!subject) throw new Error(`${model.table} is not audited.`);
  if (isUnrecorded(trx)) return;
  const recorded = changes.flatMap((change) => recordOf(subject, change) ?? []);
  if (recorded.length > 0) pendingOf(trx).changes.push(...recorded);
}

/** Says that the transaction changes something that is no subject, such as a message to be sent. */
export const touch = (trx: Transaction): void => {
  if (!isUnrecorded(trx)) pendingOf(trx).isTouched = true;
};

const HIDDEN = '***';

function recordOf(subject: Subject, { before, after, note = null }: RowChange): Recorded | null {
  const row = after ?? before;
  if (row === null) return null;
  const [was, is] = difference(subject, before ?? {}, after ?? {});
  if (before !== null && after !== null && is === null && note === null) return null;
  const fields = row as unknown as Fields;
  const text = (name: string | null): string | null => {
    const value = name === null ? null : fields[name];
    return typeof value === 'string' ? value : null;
  };
  const lmsUserId = subject.learner === null ? null : fields[subject.learner];
  return {
    kind: subject.kind,
    uuid: row.uuid,
    action: before === null ? 'created' : after === null ? 'deleted' : 'updated',
    note,
    customerUuid: text(subject.customer),
    lmsUserId: typeof lmsUserId === 'number' ? lmsUserId : null,
    email: text(subject.address)?.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) ?? null,
    correlationId: text(subject.follows),
    before: before === null ? null : was,
    after: after === null ? null : is,
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** The fields that differ, as they were and as they are. */
function difference(
  { fields, hidden }: Subject,
  before: object,
  after: object,
): [was: Record<string, unknown> | null, is: Record<string, unknown> | null] {
  const was: Record<string, unknown> = {};
  const is: Record<string, unknown> = {};
  for (const name of fields) {
    const [old, present] = [(before as Fields)[name] ?? null, (after as Fields)[name] ?? null];
    if (old === present || isDeepStrictEqual(old, present)) continue;
    const shown = (value: unknown) => (value !== null && hidden.has(name) ? HIDDEN : value);
    was[name] = shown(old);
    is[name] = shown(present);
  }
  const orNull = (values: Record<string, unknown>) => (Object.keys(values).length > 0 ? values : null);
  return [orNull(was), orNull(is)];
}

/** Writes rows together with the records of the transaction, which saves a statement. Nobody may wait for such rows. */
export const insertWithRecords = (trx: Transaction, insert: Knex.QueryBuilder): void => {
  pendingOf(trx).others.push(insert);
};

/** Rows of one statement; MariaDB bounds the size of a packet. */
const ROWS_AT_ONCE = 1_000;
/** Other inserts go along with at most so many changes. */
const ROWS_TOGETHER = 100;

/**
 * Writes what was recorded so far, and `last` with it. `transaction` calls it before the commit; those who are about to
 * change a row that many callers wait for call it first, because these inserts wait for nobody.
 */
export async function storeRecorded(trx: Transaction, last: Knex.QueryBuilder | null = null): Promise<void> {
  const pending = pendings.get(trx);
  const others = [...(pending?.others ?? []), ...(last ? [last] : [])];
  if (pending) pending.others = [];
  if (!pending || pending.changes.length === 0) {
    await insertTogether(trx, others);
    return;
  }
  const rows = numbered(pending);
  const entries = entriesInsert(trx, pending, new Map(rows.map(({ entry, customer }) => [entry, customer])));
  const isSmall = rows.length <= ROWS_TOGETHER;
  if (!isSmall) await insertTogether(trx, others);
  for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
    const insert = trx('audit_changes').insert(rows.slice(at, at + ROWS_AT_ONCE).map(({ row }) => row));
    await insertTogether(trx, [...(entries && at === 0 ? [entries] : []), insert, ...(isSmall ? others : [])]);
  }
}

/** The changes as rows, each with its place in the entry of its customer. */
function numbered(pending: Pending) {
  const { changes, scope } = pending;
  pending.changes = [];
  // A transaction changes things of one customer; those that do not name it go with the others.
  const named = new Set(changes.flatMap(({ customerUuid }) => customerUuid ?? []));
  const [only = null] = named;
  const fallback = scope.origin.customerUuid ?? (named.size === 1 ? only : null);
  return [...Map.groupBy(changes, (change) => change.customerUuid ?? fallback)].flatMap(([customer, group]) => {
    const entry = entryOf(scope, customer);
    return group.map((change) => {
      entry.size += 1;
      return { entry, customer, row: rowOf(entry, change, customer) };
    });
  });
}

/** Before the commit: everything that was recorded, and an entry for a transaction that changed no subject. */
export async function completeRecords(trx: Transaction): Promise<() => void> {
  await storeRecorded(trx);
  const pending = pendings.get(trx);
  if (!pending) return () => undefined;
  const { scope, inserted, isTouched } = pending;
  const isKnown = inserted.size > 0 || [...scope.entries.values()].some(({ isStored }) => isStored);
  if (isTouched && !isKnown) {
    const { customerUuid } = scope.origin;
    await entriesInsert(trx, pending, new Map([[entryOf(scope, customerUuid), customerUuid]]));
  }
  return () => {
    for (const entry of inserted) entry.isStored = true;
  };
}

function entryOf({ entries }: Scope, customer: string | null): Entry {
  const known = entries.get(customer);
  if (known) return known;
  const entry: Entry = { uuid: v7(), size: 0, isStored: false };
  entries.set(customer, entry);
  return entry;
}

/** The insert of the entries that are not there yet; null when all are. */
function entriesInsert(
  trx: Transaction,
  { scope: { origin }, inserted }: Pending,
  entries: ReadonlyMap<Entry, string | null>,
): Knex.QueryBuilder | null {
  const absent = [...entries].filter(([entry]) => !entry.isStored && !inserted.has(entry));
  if (absent.length === 0) return null;
  const created = new Date();
  const insert = trx('audit_entries').insert(
    absent.map(([entry, customer]) => ({
      uuid: entry.uuid,
      created,
      enterprise_customer_uuid: customer,
      operation: origin.operation,
      source: origin.source,
      actor_user_id: origin.actorUserId,
      actor_role: origin.role,
      request_id: origin.requestId?.slice(0, 255) ?? null,
      correlation_id: origin.correlationId.slice(0, 255),
      reason: origin.reason?.slice(0, 255) ?? null,
    })),
  );
  for (const [entry] of absent) inserted.add(entry);
  // Another transaction of the same call may write it first.
  return insert.onConflict('uuid').ignore();
}

const json = (value: object | null): string | null => (value === null ? null : JSON.stringify(value));

const rowOf = (entry: Entry, change: Recorded, customer: string | null) => ({
  entry_uuid: entry.uuid,
  position: entry.size,
  subject_kind: change.kind,
  subject_uuid: change.uuid,
  action: change.action,
  note: change.note?.slice(0, 64) ?? null,
  enterprise_customer_uuid: customer,
  lms_user_id: change.lmsUserId,
  learner_email: change.email,
  correlation_id: change.correlationId,
  before_values: json(change.before),
  after_values: json(change.after),
});

/** Forgets the address of learners in the records of these things. */
export const forgetAddresses = async (db: Connection, subjectUuids: readonly string[]): Promise<void> => {
  if (subjectUuids.length > 0)
    await db('audit_changes')
      .whereIn('subject_uuid', subjectUuids)
      .whereNotNull('learner_email')
      .update({ learner_email: null });
};

/** Forgets who the learners were in the records of these things: address and account. */
export const forgetLearners = async (db: Connection, subjectUuids: readonly string[]): Promise<void> => {
  if (subjectUuids.length > 0)
    await db('audit_changes')
      .whereIn('subject_uuid', subjectUuids)
      .where((known) => known.whereNotNull('learner_email').orWhereNotNull('lms_user_id'))
      .update({ learner_email: null, lms_user_id: null });
};

/** Forgets a learner in the records of things of one kind, also of those that somebody else holds now. */
export const forgetLearner = async (db: Connection, kind: string, lmsUserId: number): Promise<void> => {
  await db('audit_changes')
    .where({ lms_user_id: lmsUserId, subject_kind: kind })
    .update({ learner_email: null, lms_user_id: null });
};
