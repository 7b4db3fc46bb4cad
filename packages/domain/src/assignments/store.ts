import {
  addToCounters,
  type Connection,
  claimMessage,
  forgetAddresses,
  type Row,
  recordChanges,
  storeRecorded,
  type Transaction,
} from '@enterprise-access/db';
import type { Knex } from 'knex';
import { foldEmail, isPlainEmail } from '../kernel/email.ts';
import { newUuid } from '../kernel/ids.ts';
import { assignmentConfigurations as configurations } from '../policies/index.ts';
import { emailKeyOf } from '../users/index.ts';
import type { ActionType, ErrorReason, State } from './contract.ts';
import { classOf, reallocatable } from './rules.ts';
import { assignmentActions, assignmentCounts, assignments } from './tables.ts';

/** A stored assignment. */
export type AssignmentRow = Readonly<Row<typeof assignments>>;

const TABLE = assignments.table;
const columns = assignments.aliased(TABLE);

/** Query of decoded rows. */
export const select = (db: Connection) => db(TABLE).select<AssignmentRow[]>(columns);

/** The actor of an action, and its source. */
export interface ActionActor {
  /** Local user id, for the history; null for the system. */
  readonly userId: number | null;
  readonly lmsUserId: number | null;
  readonly type: 'admin' | 'learner' | 'system';
  readonly source: 'api' | 'admin_ui_bulk_csv' | 'signal' | 'scheduled_job' | 'celery_task';
}

export const SYSTEM: ActionActor = { userId: null, lmsUserId: null, type: 'system', source: 'scheduled_job' };
/** The system, in a job that a user has started. */
export const JOB: ActionActor = { ...SYSTEM, source: 'celery_task' };

/** An action to store. */
export interface NewAction {
  readonly row: AssignmentRow;
  readonly actionType: ActionType;
  readonly errorReason?: ErrorReason | null;
  /** Kind of failure; our own text. */
  readonly traceback?: string | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export async function insertActions(
  trx: Transaction,
  actions: readonly NewAction[],
  by: ActionActor & { readonly at: Date },
): Promise<void> {
  if (actions.length === 0) return;
  await trx(assignmentActions.table).insert(
    actions.map(({ row, actionType, errorReason = null, traceback = null, metadata = {} }) =>
      assignmentActions.encode({
        uuid: newUuid(),
        assignmentUuid: row.uuid,
        enterpriseCustomerUuid: row.enterpriseCustomerUuid,
        actionType,
        completedAt: errorReason === null ? by.at : null,
        errorReason,
        traceback,
        actorLmsUserId: by.lmsUserId,
        actorType: by.type,
        learnerLmsUserId: row.lmsUserId,
        learnerEmail: row.learnerEmail,
        source: by.source,
        metadata,
        created: by.at,
        modified: by.at,
      }),
    ),
  );
}

/** A change of a row. */
export interface RowChange {
  /** Null for a new row. */
  readonly before: AssignmentRow | null;
  readonly after: AssignmentRow;
  /** What was done, where the fields do not say it. */
  readonly note?: string | null;
}

/** Changes of the counters, by configuration, content key and class. */
export type CountChanges = Map<
  string,
  { -readonly [K in keyof Row<typeof assignmentCounts>]: Row<typeof assignmentCounts>[K] }
>;

export function addCount(counts: CountChanges, row: AssignmentRow, n: number): void {
  const { assignmentConfigurationUuid, enterpriseCustomerUuid } = row;
  const statusClass = classOf(row);
  for (const contentKey of ['', row.contentKey]) {
    const id = JSON.stringify([assignmentConfigurationUuid, contentKey, statusClass]);
    const known = counts.get(id);
    if (known) known.n += n;
    else counts.set(id, { assignmentConfigurationUuid, enterpriseCustomerUuid, contentKey, statusClass, n });
  }
}

export function countsOf(changes: readonly RowChange[]): CountChanges {
  const counts: CountChanges = new Map();
  for (const { before, after } of changes) {
    if (before) addCount(counts, before, -1);
    addCount(counts, after, 1);
  }
  return counts;
}

/** Updates the counters in the transaction of the change. Call it last, because these rows are contended. */
export async function writeCounts(trx: Transaction, counts: CountChanges): Promise<void> {
  const rows = [...counts]
    .filter(([, { n }]) => n !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => assignmentCounts.encode(row));
  await addToCounters(trx, assignmentCounts.table, { key: assignmentCounts.key, counter: 'n' }, rows);
}

const { uuid: _uuid, enterpriseCustomerUuid: _customer, created: _created, ...changing } = assignments.stored;
const writable = Object.values(changing);

/** Columns of an active row that can be written while a redemption of it may be pending. */
const touchable = [
  changing.lmsUserId,
  changing.preferredCourseRunKey,
  changing.parentContentKey,
  changing.isAssignedCourseRun,
  changing.modified,
];

/**
 * Stores new and changed rows with their history, with at most one statement per kind of change. Ended rows are
 * overwritten; of active rows only the columns above are written.
 */
export async function writeRows(trx: Transaction, changes: readonly RowChange[]): Promise<void> {
  const made = changes.filter(({ before }) => before === null).map(({ after }) => given(after));
  // In the order of the unique key, so that two writers queue instead of deadlocking.
  made.sort((a, b) => (String(a.learner_email) < String(b.learner_email) ? -1 : 1));
  if (made.length > 0) await trx(TABLE).insert(made);
  for (const [isRestart, columns] of [[true, writable] as const, [false, touchable] as const]) {
    const changed = changes.filter(({ before }) => before !== null && reallocatable.has(before.state) === isRestart);
    const rows = changed.map(({ after }) => assignments.encode(after));
    if (rows.length > 0) await trx(TABLE).insert(rows).onConflict('uuid').merge(columns);
  }
  rememberRows(trx, changes);
}

/** Overwrites rows that the caller has locked, in one statement. */
export async function overwriteRows(trx: Transaction, rows: readonly AssignmentRow[]): Promise<void> {
  if (rows.length > 0)
    await trx(TABLE)
      .insert(rows.map((row) => assignments.encode(row)))
      .onConflict('uuid')
      .merge(writable);
}

export const rememberRows = (trx: Transaction, changes: readonly RowChange[]): void =>
  recordChanges(trx, assignments, changes);

/** A new row without its empty columns, to keep statements with thousands of rows small. */
function given(row: AssignmentRow): Record<string, unknown> {
  const all = assignments.encode(row);
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => value !== null || optional.has(name)));
}
/** Optional columns that some of the new rows have, because all rows of a statement must have the same columns. */
const optional = new Set([
  changing.lmsUserId,
  changing.parentContentKey,
  changing.contentTitle,
  changing.preferredCourseRunKey,
  changing.allocationBatchUuid,
  changing.correlationId,
  changing.adminLmsUserId,
]);

export const find = async (
  db: Connection,
  configurationUuid: string,
  uuid: string,
): Promise<AssignmentRow | undefined> =>
  select(db).where({ 'assignments.uuid': uuid, assignment_configuration_uuid: configurationUuid }).first();

/** Rows of one configuration, locked until the transaction ends. */
export const findForUpdate = (trx: Transaction, configurationUuid: string, uuids: readonly string[]) =>
  select(trx)
    .where('assignment_configuration_uuid', configurationUuid)
    .whereIn('assignments.uuid', uuids)
    .orderBy('assignments.uuid')
    .forUpdate();

/** A row of any configuration, locked until the transaction ends. */
export const holdOne = async (trx: Transaction, uuid: string): Promise<AssignmentRow | undefined> =>
  select(trx).where('assignments.uuid', uuid).forUpdate().first();

/** Rows of learners in a configuration, by account, in any state. */
export async function ofLearner(
  db: Connection,
  configurationUuids: readonly string[],
  lmsUserId: number,
): Promise<AssignmentRow[]> {
  if (configurationUuids.length === 0) return [];
  return select(db)
    .whereIn('assignment_configuration_uuid', configurationUuids)
    .where({ lms_user_id: lmsUserId })
    .orderBy([
      { column: 'allocated_at', order: 'desc' },
      { column: 'assignments.uuid', order: 'desc' },
    ]);
}

/**
 * Rows that match one of several queries, each of which uses its own index. The queries return uuids only: a union of
 * whole rows would lose column types on one dialect.
 */
const eitherOf = (db: Connection, looks: readonly Knex.QueryBuilder[]) => {
  const [first, ...others] = looks.map((look) => look.select('uuid'));
  if (!first) throw new Error('The query has no condition.');
  return select(db).join(first.union(others).as('found'), 'found.uuid', 'assignments.uuid');
};

interface Learners {
  readonly configurationUuid: string;
  readonly contentKey: string;
  readonly emailKeys: readonly string[];
  readonly lmsUserIds: readonly number[];
}

const named = (db: Connection, { configurationUuid, contentKey, emailKeys, lmsUserIds }: Learners) => {
  const base = () => db(TABLE).where({ assignment_configuration_uuid: configurationUuid, content_key: contentKey });
  return eitherOf(db, [
    base().whereIn('learner_email_key', emailKeys),
    ...(lmsUserIds.length === 0 ? [] : [base().whereIn('lms_user_id', lmsUserIds)]),
  ]);
};

/**
 * Rows for the same content, in any state, by address or account (R-ASG-14), including rows of the same accounts
 * under other addresses. Ended rows are locked until the transaction ends, because they can be restarted and an
 * administrator could cancel them concurrently.
 */
export async function forLearners(trx: Transaction, of: Learners): Promise<AssignmentRow[]> {
  const found = await named(trx, of);
  const known = new Set(of.lmsUserIds);
  const others = found.flatMap(({ lmsUserId }) => (lmsUserId === null || known.has(lmsUserId) ? [] : [lmsUserId]));
  if (others.length > 0) found.push(...(await named(trx, { ...of, emailKeys: [], lmsUserIds: others })));
  const rows = new Map(found.map((row) => [row.uuid, row]));
  const over = [...rows.values()].filter((row) => !isHeld(row)).map(({ uuid }) => uuid);
  if (over.length > 0) for (const row of await findForUpdate(trx, of.configurationUuid, over)) rows.set(row.uuid, row);
  return [...rows.values()];
}

/** An action in replies. */
export type ActionRow = Readonly<Pick<Row<typeof assignmentActions>, (typeof readNames)[number]>>;
const readNames = [
  'uuid',
  'assignmentUuid',
  'actionType',
  'completedAt',
  'errorReason',
  'created',
  'modified',
] as const;

/** Actions by assignment, oldest first; one statement for a page. */
export async function actionsOf(db: Connection, uuids: readonly string[]): Promise<Map<string, ActionRow[]>> {
  if (uuids.length === 0) return new Map();
  const rows = await db(assignmentActions.table)
    .whereIn('assignment_uuid', uuids)
    .orderBy(['assignment_uuid', 'created', 'uuid'])
    .select<ActionRow[]>(assignmentActions.pick(...readNames));
  return Map.groupBy(rows, ({ assignmentUuid }) => assignmentUuid);
}

/**
 * The caller's own rows, newest allocation first: by account, or by the address of the token if the row has no
 * account. Not paginated, because a learner has few rows.
 */
export async function ownedBy(
  db: Connection,
  configurationUuid: string,
  caller: { readonly userId: number; readonly lmsUserId: number | null },
): Promise<AssignmentRow[]> {
  const emailKey = await emailKeyOf(db, caller.userId);
  const base = () => db(TABLE).where('assignment_configuration_uuid', configurationUuid);
  const { lmsUserId } = caller;
  const looks = [
    ...(emailKey ? [base().where('learner_email_key', emailKey).whereNull('lms_user_id')] : []),
    ...(lmsUserId === null ? [] : [base().where('lms_user_id', lmsUserId)]),
  ];
  const found = looks.length === 0 ? [] : await eitherOf(db, looks);
  const rows = found.filter((row) => row.lmsUserId !== null || isOfAddress(row, emailKey));
  return rows.sort((a, b) => b.allocatedAt.getTime() - a.allocatedAt.getTime() || (a.uuid < b.uuid ? 1 : -1));
}

/** The assignment that was accepted with a ledger transaction, locked until the transaction ends. */
export const holdByTransaction = async (
  trx: Transaction,
  transactionUuid: string,
): Promise<AssignmentRow | undefined> => select(trx).where({ transaction_uuid: transactionUuid }).forUpdate().first();

/** Whether the row is for this address. Rows of earlier releases can have addresses that are not plain. */
const isOfAddress = ({ learnerEmail }: AssignmentRow, emailKey: string | null): boolean =>
  isPlainEmail(learnerEmail) && foldEmail(learnerEmail) === emailKey;

/** Whether the learner holds it: allocated or accepted. */
export const isHeld = ({ state }: AssignmentRow): boolean => !reallocatable.has(state);

/** Whether an assignment of the address has no account yet. */
export const isAwaited = async (db: Connection, emailKey: string): Promise<boolean> =>
  (await db(TABLE).where({ learner_email_key: emailKey }).whereNull('lms_user_id').first('uuid')) !== undefined;

/** Assignments of the address without an account, locked until the transaction ends. */
export async function holdAwaiting(trx: Transaction, emailKey: string): Promise<AssignmentRow[]> {
  const rows = await select(trx)
    .where({ learner_email_key: emailKey })
    .whereNull('lms_user_id')
    .orderBy('assignments.uuid')
    .forUpdate();
  return rows.filter((row: AssignmentRow) => isOfAddress(row, emailKey));
}

/** Sets the account of locked rows. */
export async function setAccount(
  trx: Transaction,
  uuids: readonly string[],
  { lmsUserId, at }: { readonly lmsUserId: number; readonly at: Date },
): Promise<void> {
  if (uuids.length > 0) await trx(TABLE).whereIn('uuid', uuids).update({ lms_user_id: lmsUserId, modified: at });
}

/** A row of any configuration. */
export const findAny = async (db: Connection, uuid: string): Promise<AssignmentRow | undefined> =>
  select(db).where('assignments.uuid', uuid).first();

export const findSeveral = (
  db: Connection,
  configurationUuid: string,
  uuids: readonly string[],
): Promise<AssignmentRow[]> =>
  select(db).where('assignment_configuration_uuid', configurationUuid).whereIn('assignments.uuid', uuids);

/** The next rows in a state by uuid, to iterate over all of them. */
export const inState = (
  db: Connection,
  configurationUuid: string,
  state: State,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<AssignmentRow[]> =>
  select(db)
    .where({ assignment_configuration_uuid: configurationUuid, state })
    .modify((query) => {
      if (after !== null) query.where('assignments.uuid', '>', after);
    })
    .orderBy('assignments.uuid')
    .limit(limit);

/** Claims the recording of a job's result; false if it was recorded before. */
export const claimJob = (trx: Transaction, end: string, actionType: ActionType, at: Date): Promise<boolean> =>
  claimMessage(trx, { consumer: `assignments:${actionType}`, messageId: end, received: at });

/** Rows of active configurations whose address can be removed. */
const retirable = (db: Connection, now: Date) =>
  // Not a join: MariaDB would lock the configurations too, after the assignments.
  db(TABLE)
    .whereIn('assignments.assignment_configuration_uuid', configurations.active(db))
    .where('assignments.retire_address_from', '<=', now);

export const countRetirable = async (db: Connection, now: Date): Promise<number> =>
  Number((await retirable(db, now).count({ n: '*' }).first())?.n ?? 0);

/** Locks them; with their addresses, so that others can forget those too. */
export const holdRetirable = async (trx: Transaction, now: Date, limit: number): Promise<AssignmentRow[]> =>
  retirable(trx, now).orderBy('assignments.uuid').limit(limit).forUpdate().select<AssignmentRow[]>(columns);

/** Overwrites addresses in all tables; `modified` does not change. The record of it names no address. */
export async function retireAddresses(
  trx: Transaction,
  rows: readonly AssignmentRow[],
  newAddress: () => string,
): Promise<void> {
  for (const before of rows) {
    const { uuid } = before;
    const learnerEmail = newAddress();
    await trx(TABLE)
      .where({ uuid })
      .update(assignments.encode({ learnerEmail, retireAddressFrom: null }));
    await trx(assignmentActions.table)
      .where({ assignment_uuid: uuid })
      .update(assignmentActions.encode({ learnerEmail }));
    const after = { ...before, learnerEmail, retireAddressFrom: null };
    recordChanges(trx, assignments, [{ before, after, note: 'address_retired' }]);
  }
  await storeRecorded(trx);
  await forgetAddresses(
    trx,
    rows.map(({ uuid }) => uuid),
  );
}
