import {
  auditChanges,
  auditEntries,
  type Connection,
  insertIfAbsent,
  outbox,
  type Row,
  type Transaction,
} from '@enterprise-access/db';
import type { Knex } from 'knex';
import { foldEmail } from '../kernel/email.ts';
import { expiryOf } from '../kernel/expiry.ts';
import type { Filter, Viewer } from './filter.ts';
import { auditExportParts, auditExports } from './tables.ts';

export type EntryRow = Readonly<Row<typeof auditEntries>>;
export type ChangeRow = Readonly<Row<typeof auditChanges>>;
export type ExportRow = Readonly<Row<typeof auditExports>>;
export type PartRow = Readonly<Row<typeof auditExportParts>>;

const ENTRIES = auditEntries.table;
const CHANGES = auditChanges.table;

/** Part of a list: what comes after the entry `after` in the order of uuids, which is that of time. */
export interface Range {
  readonly order: 'asc' | 'desc';
  readonly after: string | null;
  /** `after` itself belongs to it. */
  readonly isInclusive?: boolean;
  readonly limit: number;
}

/** Roles of people whom the administrators of a customer may know. */
const OPEN_ROLES = ['%\\_admin', '%\\_learner'];

/** One page of entries. */
export async function entriesOf(
  db: Connection,
  viewer: Viewer,
  filter: Filter,
  { order, after, isInclusive = false, limit }: Range,
): Promise<EntryRow[]> {
  const within = (query: Knex.QueryBuilder, uuid: string, customer: string): Knex.QueryBuilder => {
    if (viewer.customer !== null) query.where(customer, viewer.customer);
    if (filter.from !== undefined) query.where(uuid, '>=', filter.from);
    if (filter.to !== undefined) query.where(uuid, '<', filter.to);
    if (after !== null) query.where(uuid, `${order === 'asc' ? '>' : '<'}${isInclusive ? '=' : ''}`, after);
    return query;
  };
  const sets = keySets(db, filter, (query, uuid) => within(query, uuid, 'enterprise_customer_uuid'));
  const entries = within(db.from(`${ENTRIES} as e`), 'e.uuid', 'e.enterprise_customer_uuid');
  if (filter.operation !== undefined) entries.where('e.operation', filter.operation);
  if (filter.actorUserId !== undefined) {
    entries.where('e.actor_user_id', filter.actorUserId);
    if (!viewer.isInternal)
      entries.where((role) => {
        role.where('e.source', 'system');
        for (const pattern of OPEN_ROLES) role.orWhere('e.actor_role', 'like', pattern);
      });
  }
  // Entries that are known by their changes alone: the index of the changes has the page already.
  const isPage = sets.length === 1 && filter.operation === undefined && filter.actorUserId === undefined;
  for (const [at, keys] of sets.entries()) {
    const name = `keys${at}`;
    const page = isPage ? db.from(keys.as('all_keys')).select('uuid').orderBy('uuid', order).limit(limit) : keys;
    entries.join(page.as(name), `${name}.uuid`, 'e.uuid');
  }
  const rows: object[] = await entries.select(auditEntries.aliased('e')).orderBy('e.uuid', order).limit(limit);
  return rows.map(auditEntries.decode);
}

/** Uuids of entries by what their changes are about, as queries; an entry has to be in all of them. */
function keySets(
  db: Connection,
  { subjectUuid, lmsUserId, learnerEmail, correlationId }: Filter,
  within: (query: Knex.QueryBuilder, uuid: string) => Knex.QueryBuilder,
): Knex.QueryBuilder[] {
  const byChange = (column: string, value: string | number | undefined) =>
    value === undefined
      ? []
      : [within(db(CHANGES).where(column, value), 'entry_uuid').distinct({ uuid: 'entry_uuid' })];
  const correlated = byChange('correlation_id', correlationId).map((followers) =>
    within(db(ENTRIES).where({ correlation_id: correlationId }), 'uuid')
      .select('uuid')
      .union(followers),
  );
  return [
    ...byChange('subject_uuid', subjectUuid),
    ...byChange('lms_user_id', lmsUserId),
    ...byChange('learner_email', learnerEmail),
    ...correlated,
  ];
}

export const findEntry = (db: Connection, uuid: string): Promise<EntryRow | undefined> => auditEntries.find(db, uuid);

const decoded = (rows: object[]): ChangeRow[] => rows.map(auditChanges.decode);

/** The first changes of each entry, without those of one subject. */
export async function firstChanges(
  db: Connection,
  entryUuids: readonly string[],
  limit: number,
  exceptSubject?: string,
): Promise<Map<string, ChangeRow[]>> {
  const [first, ...others] = [...new Set(entryUuids)].map((uuid) => {
    const changes = db(CHANGES).where({ entry_uuid: uuid }).orderBy('position').limit(limit);
    if (exceptSubject !== undefined) changes.whereNot({ subject_uuid: exceptSubject });
    return db.from(changes.as('of_entry')).select('*');
  });
  if (!first) return new Map();
  return Map.groupBy(decoded(await first.unionAll(others)), ({ entryUuid }) => entryUuid);
}

/** Number of changes of each entry, without those of one subject. */
export async function changeCounts(
  db: Connection,
  entryUuids: readonly string[],
  exceptSubject?: string,
): Promise<Map<string, number>> {
  const counted = db(CHANGES).whereIn('entry_uuid', entryUuids).groupBy('entry_uuid');
  if (exceptSubject !== undefined) counted.whereNot({ subject_uuid: exceptSubject });
  const rows: { entry_uuid: string; n: unknown }[] = await counted.select('entry_uuid').count({ n: '*' });
  return new Map(rows.map((row) => [row.entry_uuid, Number(row.n)]));
}

/** Changes of one entry after a position. */
export const changesAfter = async (
  db: Connection,
  entryUuid: string,
  position: number,
  limit: number,
): Promise<ChangeRow[]> =>
  decoded(
    await db(CHANGES)
      .where({ entry_uuid: entryUuid })
      .where('position', '>', position)
      .orderBy('position')
      .limit(limit)
      .select('*'),
  );

/** Changes of entries, in the order of uuids and positions, after one change. */
export async function changesOfEntries(
  db: Connection,
  entryUuids: readonly string[],
  after: Place | null,
  limit: number,
): Promise<ChangeRow[]> {
  const query = db(CHANGES).whereIn('entry_uuid', entryUuids);
  if (after !== null)
    query.where((later) => later.whereNot('entry_uuid', after.entryUuid).orWhere('position', '>', after.position));
  return decoded(await query.orderBy(['entry_uuid', 'position']).limit(limit).select('*'));
}

/** Place of a change in the trail. */
export interface Place {
  readonly entryUuid: string;
  readonly position: number;
}

/** Changes of one subject, each with its entry. */
export async function changesOfSubject(
  db: Connection,
  viewer: Viewer,
  subjectUuid: string,
  { order, after, limit }: { readonly order: 'asc' | 'desc'; readonly after: Place | null; readonly limit: number },
): Promise<{ change: ChangeRow; entry: EntryRow }[]> {
  const query = db.from(`${CHANGES} as c`).join(`${ENTRIES} as e`, 'e.uuid', 'c.entry_uuid');
  query.where('c.subject_uuid', subjectUuid);
  if (viewer.customer !== null) query.where('c.enterprise_customer_uuid', viewer.customer);
  if (after !== null) {
    const sign = order === 'asc' ? '>' : '<';
    query
      .where('c.entry_uuid', `${sign}=`, after.entryUuid)
      .where((later) =>
        later
          .where('c.entry_uuid', sign, after.entryUuid)
          .orWhere((same) => same.where('c.entry_uuid', after.entryUuid).where('c.position', sign, after.position)),
      );
  }
  const entry = auditEntries.joined('e');
  const rows: object[] = await query
    .orderBy([
      { column: 'c.entry_uuid', order },
      { column: 'c.position', order },
    ])
    .limit(limit)
    .select({ ...auditChanges.aliased('c'), ...entry.columns });
  return rows.flatMap((raw) => {
    const found = entry.decode(raw);
    return found ? [{ change: auditChanges.decode(raw), entry: found }] : [];
  });
}

/** Customer of an entry. */
export const ownerOfEntry = async (db: Connection, uuid: string): Promise<string | null> =>
  (await findEntry(db, uuid))?.enterpriseCustomerUuid ?? null;

/** Customer of a thing that the trail knows. */
export async function ownerOfSubject(db: Connection, uuid: string): Promise<string | null> {
  const row: { customer: string | null } | undefined = await db(CHANGES)
    .where({ subject_uuid: uuid })
    .first({ customer: 'enterprise_customer_uuid' });
  return row?.customer ?? null;
}

export interface Message {
  readonly position: number;
  readonly uuid: string;
  readonly kind: 'event' | 'job';
  readonly name: string;
  readonly enterpriseCustomerUuid: string | null;
  readonly created: Date;
  readonly sent: Date | null;
}

/** Messages that followed from one call, and from calls that changed what it began, after a position. */
export async function messagesOf(
  db: Connection,
  { customer }: Viewer,
  correlationId: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<Message[]> {
  const later = db
    .from(`${CHANGES} as c`)
    .join(`${ENTRIES} as e`, 'e.uuid', 'c.entry_uuid')
    .where('c.correlation_id', correlationId)
    .distinct({ correlation_id: 'e.correlation_id' });
  if (customer !== null) later.where('c.enterprise_customer_uuid', customer);
  const all = db(outbox.table).where({ correlation_id: correlationId }).distinct('correlation_id').union(later);
  const query = db
    .from(all.as('calls'))
    .join(`${outbox.table} as o`, 'o.correlation_id', 'calls.correlation_id')
    .where('o.position', '>', after);
  if (customer !== null) query.where('o.enterprise_customer_uuid', customer);
  const { uuid, kind, name, enterpriseCustomerUuid, created } = outbox.aliased('o');
  const rows: (Omit<Message, 'position'> & { position: unknown })[] = await query
    .orderBy('o.position')
    .limit(limit)
    .select({ uuid, kind, name, enterpriseCustomerUuid, created, position: 'o.position', sent: 'o.sent' });
  return rows.map((row) => ({ ...row, position: Number(row.position) }));
}

export const insertExport = (trx: Transaction, row: ExportRow): Promise<void> => auditExports.insert(trx, row);

export const findExport = (db: Connection, uuid: string): Promise<ExportRow | undefined> => auditExports.find(db, uuid);

export const ownerOfExport = async (db: Connection, uuid: string): Promise<string | null> =>
  (await findExport(db, uuid))?.enterpriseCustomerUuid ?? null;

/** The export is complete, and nobody has to know any more what was looked for. */
export const finishExport = (trx: Transaction, before: ExportRow, finished: Date): Promise<void> =>
  auditExports.change(trx, before, { ...before, filter: null, finished });

/** Ends exports that look for these addresses and are still to be written: what they look for is forgotten. */
export async function forgetSearches(trx: Transaction, addresses: readonly string[], at: Date): Promise<void> {
  if (addresses.length === 0) return;
  const forgotten = new Set(addresses.map(foldEmail));
  const open: object[] = await trx(auditExports.table).whereNull('finished').orderBy('uuid').forUpdate().select('*');
  for (const row of open.map(auditExports.decode)) {
    const address = row.filter?.learnerEmail;
    if (address !== undefined && forgotten.has(address)) await finishExport(trx, row, at);
  }
}

/** False when another attempt has written that part. */
export const insertPart = (db: Connection, part: PartRow): Promise<boolean> =>
  insertIfAbsent(db, auditExportParts.table, auditExportParts.encode(part));

export async function findPart(db: Connection, exportUuid: string, position: number): Promise<PartRow | undefined> {
  const row: object | undefined = await db(auditExportParts.table).where({ export_uuid: exportUuid, position }).first();
  return row && auditExportParts.decode(row);
}

/** What was written so far: where to go on, and how much there is. */
export async function writtenSoFar(db: Connection, exportUuid: string) {
  const parts = db(auditExportParts.table).where({ export_uuid: exportUuid });
  const last: object | undefined = await parts.clone().orderBy('position', 'desc').first();
  const sum: { n?: unknown } | undefined = await parts.clone().sum({ n: 'line_count' }).first();
  return { last: last && auditExportParts.decode(last), lineCount: Number(sum?.n ?? 0) };
}

/** Files that were made long ago. */
export const exportExpiry = {
  parts: expiryOf(auditExportParts, 'created'),
  exports: expiryOf(auditExports, 'created'),
};
