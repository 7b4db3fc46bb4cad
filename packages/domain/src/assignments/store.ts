import {
  addToCounters,
  appendHistories,
  type Connection,
  claimMessage,
  type Row,
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

/** Rows as the slice sees them. */
export const select = (db: Connection) => db(TABLE).select<AssignmentRow[]>(columns);

/** Who did something, and on which way it came. */
export interface Doer {
  /** Local user id, for the history; null for the system itself. */
  readonly userId: number | null;
  readonly lmsUserId: number | null;
  readonly type: 'admin' | 'learner' | 'system';
  readonly source: 'api' | 'admin_ui_bulk_csv' | 'signal' | 'scheduled_job' | 'celery_task';
}

export const SYSTEM: Doer = { userId: null, lmsUserId: null, type: 'system', source: 'scheduled_job' };
/** The system at work on something that it was asked for. */
export const JOB: Doer = { ...SYSTEM, source: 'celery_task' };

/** Something that happened to an assignment, as it is stored. */
export interface NewAction {
  readonly row: AssignmentRow;
  readonly actionType: ActionType;
  readonly errorReason?: ErrorReason | null;
  /** Kind of failure in our words. */
  readonly traceback?: string | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export async function insertActions(
  trx: Transaction,
  actions: readonly NewAction[],
  by: Doer & { readonly at: Date },
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

/** How one row changes. */
export interface RowChange {
  /** Null for a row that is new. */
  readonly before: AssignmentRow | null;
  readonly after: AssignmentRow;
  readonly reason?: string | null;
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

/** The counters belong to the transaction of the change. They are what most writers want, so they come last in it. */
export async function writeCounts(trx: Transaction, counts: CountChanges): Promise<void> {
  const rows = [...counts]
    .filter(([, { n }]) => n !== 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => assignmentCounts.encode(row));
  await addToCounters(trx, assignmentCounts.table, { key: assignmentCounts.key, counter: 'n' }, rows);
}

const { uuid: _uuid, enterpriseCustomerUuid: _customer, created: _created, ...changing } = assignments.stored;
const writable = Object.values(changing);

/** What a row that is active can be given while somebody may be redeeming it: nothing else of it is written. */
const touchable = [
  changing.lmsUserId,
  changing.preferredCourseRunKey,
  changing.parentContentKey,
  changing.isAssignedCourseRun,
  changing.modified,
];

/**
 * Stores new and changed rows with their history: at most one statement for each kind of change, however many there
 * are. Rows that are over before change as a whole; of others only what others leave alone.
 */
export async function writeRows(
  trx: Transaction,
  changes: readonly RowChange[],
  by: { readonly userId: number | null; readonly at: Date },
): Promise<void> {
  const made = changes.filter(({ before }) => before === null).map(({ after }) => given(after));
  // In the order of the unique key, so that two writers queue instead of deadlocking.
  made.sort((a, b) => (String(a.learner_email) < String(b.learner_email) ? -1 : 1));
  if (made.length > 0) await trx(TABLE).insert(made);
  for (const [isRestart, columns] of [[true, writable] as const, [false, touchable] as const]) {
    const changed = changes.filter(({ before }) => before !== null && reallocatable.has(before.state) === isRestart);
    const rows = changed.map(({ after }) => assignments.encode(after));
    if (rows.length > 0) await trx(TABLE).insert(rows).onConflict('uuid').merge(columns);
  }
  await rememberRows(trx, changes, by);
}

/** Writes whole rows that the caller holds; one statement for all. */
export async function overwriteRows(trx: Transaction, rows: readonly AssignmentRow[]): Promise<void> {
  if (rows.length > 0)
    await trx(TABLE)
      .insert(rows.map((row) => assignments.encode(row)))
      .onConflict('uuid')
      .merge(writable);
}

export const rememberRows = (
  trx: Transaction,
  changes: readonly RowChange[],
  by: { readonly userId: number | null; readonly at: Date },
): Promise<void> =>
  appendHistories(
    trx,
    assignments,
    changes.map(({ before, after, reason = null }) => ({
      row: after,
      change: { type: before === null ? ('+' as const) : ('~' as const), actorUserId: by.userId, reason, at: by.at },
    })),
  );

/** A new row without its empty columns: thousands of them go into one statement. */
function given(row: AssignmentRow): Record<string, unknown> {
  const all = assignments.encode(row);
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => value !== null || optional.has(name)));
}
/** Columns that some of the new rows have: all rows of a statement name the same ones. */
const optional = new Set([
  changing.lmsUserId,
  changing.parentContentKey,
  changing.contentTitle,
  changing.preferredCourseRunKey,
  changing.allocationBatchUuid,
  changing.adminLmsUserId,
]);

export const find = async (
  db: Connection,
  configurationUuid: string,
  uuid: string,
): Promise<AssignmentRow | undefined> =>
  select(db).where({ 'assignments.uuid': uuid, assignment_configuration_uuid: configurationUuid }).first();

/** Rows of one configuration, held until the transaction ends. */
export const findForUpdate = (trx: Transaction, configurationUuid: string, uuids: readonly string[]) =>
  select(trx)
    .where('assignment_configuration_uuid', configurationUuid)
    .whereIn('assignments.uuid', uuids)
    .orderBy('assignments.uuid')
    .forUpdate();

/** A row of whatever configuration, held until the transaction ends. */
export const holdOne = async (trx: Transaction, uuid: string): Promise<AssignmentRow | undefined> =>
  select(trx).where('assignments.uuid', uuid).forUpdate().first();

/** What learners hold or held of a configuration, by account. */
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
 * Rows that either of two looks finds, each through its own index. The looks give uuids only: a union of whole rows
 * would lose the types of their columns on one dialect.
 */
const eitherOf = (db: Connection, looks: readonly Knex.QueryBuilder[]) => {
  const [first, ...others] = looks.map((look) => look.select('uuid'));
  if (!first) throw new Error('There is nothing to look for.');
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
 * Rows for the same content, in any state, of learners who are named by address or by account (R-ASG-14), with what the
 * accounts behind the addresses hold under other addresses. Rows that are over are held until the transaction ends:
 * they can start again, and until then an administrator may cancel them.
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

/** An action as it is read. */
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
 * What is a caller's own, newest allocation first: by account, or by the address of the caller's token as long as the
 * row belongs to no account. A learner holds few rows, so this is the whole list.
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

/** The assignment that a ledger transaction was the acceptance of, held until the transaction ends. */
export const holdByTransaction = async (
  trx: Transaction,
  transactionUuid: string,
): Promise<AssignmentRow | undefined> => select(trx).where({ transaction_uuid: transactionUuid }).forUpdate().first();

/** Whether the address of the row really is this one: the databases fold more than ASCII. */
const isOfAddress = ({ learnerEmail }: AssignmentRow, emailKey: string | null): boolean =>
  isPlainEmail(learnerEmail) && foldEmail(learnerEmail) === emailKey;

/** Whether the learner holds it: allocated or accepted. */
export const isHeld = ({ state }: AssignmentRow): boolean => !reallocatable.has(state);

/** Whether some assignment waits for the owner of the address to have an account. */
export const isAwaited = async (db: Connection, emailKey: string): Promise<boolean> =>
  (await db(TABLE).where({ learner_email_key: emailKey }).whereNull('lms_user_id').first('uuid')) !== undefined;

/** What waits for the owner of the address, held until the transaction ends. */
export async function holdAwaiting(trx: Transaction, emailKey: string): Promise<AssignmentRow[]> {
  const rows = await select(trx)
    .where({ learner_email_key: emailKey })
    .whereNull('lms_user_id')
    .orderBy('assignments.uuid')
    .forUpdate();
  return rows.filter((row: AssignmentRow) => isOfAddress(row, emailKey));
}

/** Gives held rows their account; nothing else of them changes. */
export async function setAccount(
  trx: Transaction,
  uuids: readonly string[],
  { lmsUserId, at }: { readonly lmsUserId: number; readonly at: Date },
): Promise<void> {
  if (uuids.length > 0) await trx(TABLE).whereIn('uuid', uuids).update({ lms_user_id: lmsUserId, modified: at });
}

/** A row of whatever configuration. */
export const findAny = async (db: Connection, uuid: string): Promise<AssignmentRow | undefined> =>
  select(db).where('assignments.uuid', uuid).first();

export const findSeveral = (
  db: Connection,
  configurationUuid: string,
  uuids: readonly string[],
): Promise<AssignmentRow[]> =>
  select(db).where('assignment_configuration_uuid', configurationUuid).whereIn('assignments.uuid', uuids);

/** The next rows in a state by uuid, for work that goes through all of them. */
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

/** Whether an end of a job is written down for the first time. */
export const claimJob = (trx: Transaction, end: string, actionType: ActionType, at: Date): Promise<boolean> =>
  claimMessage(trx, { consumer: `assignments:${actionType}`, messageId: end, received: at });

/** Rows of active configurations whose address can be forgotten. */
const retirable = (db: Connection, now: Date) =>
  // Not a join: MariaDB would lock the configurations too, after the assignments.
  db(TABLE)
    .whereIn('assignments.assignment_configuration_uuid', configurations.active(db))
    .where('assignments.retire_address_from', '<=', now);

export const countRetirable = async (db: Connection, now: Date): Promise<number> =>
  Number((await retirable(db, now).count({ n: '*' }).first())?.n ?? 0);

export async function holdRetirable(trx: Transaction, now: Date, limit: number): Promise<string[]> {
  const rows: { uuid: string }[] = await retirable(trx, now)
    .orderBy('assignments.uuid')
    .limit(limit)
    .forUpdate()
    .select('assignments.uuid');
  return rows.map(({ uuid }) => uuid);
}

/** Overwrites an address wherever it is kept; `modified` does not change. */
export async function retireAddress(trx: Transaction, uuid: string, address: string): Promise<void> {
  await trx(TABLE).where({ uuid }).update({ learner_email: address, retire_address_from: null });
  await trx(assignmentActions.table).where({ assignment_uuid: uuid }).update({ learner_email: address });
}
