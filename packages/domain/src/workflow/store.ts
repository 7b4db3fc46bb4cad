import { type Connection, insertIfAbsent, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import { transformer } from '../kernel/transformer.ts';
import type { WorkflowStatus } from './contract.ts';
import { type Stored, workflowSignals as signals, workflowSteps as steps, workflows } from './tables.ts';

export type WorkflowRow = Readonly<Row<typeof workflows>>;
export type StepRow = Readonly<Row<typeof steps>>;

export const stored = (value: unknown): Stored => transformer.output.serialize(value);
export const restored = (value: Stored | null): unknown =>
  value === null ? undefined : transformer.output.deserialize(value);

export const find = (db: Connection, uuid: string): Promise<WorkflowRow | undefined> => workflows.find(db, uuid);

export async function findByKey(db: Connection, kind: string, key: string): Promise<WorkflowRow | undefined> {
  const row: object | undefined = await db(workflows.table).where({ kind, idempotency_key: key }).first();
  return row && workflows.decode(row);
}

/** Inserts it unless there is one for the key; returns whether it did. */
export async function insert(trx: Transaction, row: WorkflowRow): Promise<boolean> {
  const isNew = await insertIfAbsent(trx, workflows.table, workflows.encode(row));
  if (isNew) recordChanges(trx, workflows, [{ before: null, after: row }]);
  return isNew;
}

export const update = (db: Connection, uuid: string, change: Partial<WorkflowRow>): Promise<number> =>
  db(workflows.table).where({ uuid }).update(workflows.encode(change));

/** The workflow, locked until the transaction ends. */
export async function hold(trx: Transaction, uuid: string): Promise<WorkflowRow | undefined> {
  const row: object | undefined = await trx(workflows.table).where({ uuid }).forUpdate().first();
  return row && workflows.decode(row);
}

/** Says in the audit trail what somebody did with it. */
export const note = (trx: Transaction, row: WorkflowRow, what: string): void =>
  recordChanges(trx, workflows, [{ before: row, after: row, note: what }]);

export async function stepsOf(db: Connection, uuid: string): Promise<StepRow[]> {
  const rows: object[] = await db(steps.table).where({ workflow_uuid: uuid }).orderBy('position');
  return rows.map((row) => steps.decode(row));
}

export async function writeStep(db: Connection, row: StepRow): Promise<void> {
  const { workflow_uuid: _workflow, position: _position, ...changed } = steps.encode(row);
  await db(steps.table).insert(steps.encode(row)).onConflict(['workflow_uuid', 'position']).merge(Object.keys(changed));
}

export const insertStep = async (db: Connection, row: StepRow): Promise<void> => {
  await db(steps.table).insert(steps.encode(row));
};

export const insertSteps = async (db: Connection, rows: readonly StepRow[]): Promise<void> => {
  if (rows.length > 0) await db(steps.table).insert(rows.map((row) => steps.encode(row)));
};

export async function signalOf(db: Connection, workflowUuid: string, name: string): Promise<Stored | null | undefined> {
  const row: object | undefined = await db(signals.table).where({ workflow_uuid: workflowUuid, name }).first();
  return row && signals.decode(row).payload;
}

export const insertSignal = (trx: Transaction, row: Readonly<Row<typeof signals>>): Promise<boolean> =>
  insertIfAbsent(trx, signals.table, signals.encode(row));

export interface Filter {
  readonly enterpriseCustomerUuid?: string | undefined;
  readonly kind?: string | undefined;
  readonly status?: WorkflowStatus | undefined;
}

/** Workflows, the newest first, after the given one. */
export async function pageOfWorkflows(
  db: Connection,
  filter: Filter,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<WorkflowRow[]> {
  const query = db(workflows.table).orderBy('uuid', 'desc').limit(limit);
  if (filter.enterpriseCustomerUuid !== undefined)
    query.where({ enterprise_customer_uuid: filter.enterpriseCustomerUuid });
  if (filter.kind !== undefined) query.where({ kind: filter.kind });
  if (filter.status !== undefined) query.where({ status: filter.status });
  if (after !== null) query.where('uuid', '<', after);
  return (await query.select<object[]>()).map((row) => workflows.decode(row));
}

/**
 * Workflows that nobody works on although they should go on: their time has come, or their executor has crashed. The
 * database's clock decides about leases.
 */
export async function due(db: Connection, now: Date, limit: number): Promise<WorkflowRow[]> {
  const rows: object[] = await db(workflows.table)
    .whereIn('status', ['running', 'waiting', 'cancelling'])
    .where((wakes) => wakes.whereNull('wake_at').orWhere('wake_at', '<=', now))
    .where((free) => free.whereNull('lease_owner').orWhereRaw('lease_ends < current_timestamp(6)'))
    .where((untouched) =>
      untouched.whereNot('status', 'running').orWhere('modified', '<', new Date(now.getTime() - 5_000)),
    )
    .orderBy('uuid')
    .limit(limit);
  return rows.map((row) => workflows.decode(row));
}

const endedBefore = (db: Connection, before: Date) =>
  db(workflows.table).whereIn('status', ['succeeded', 'cancelled']).where('finished', '<', before);

export const countEnded = async (db: Connection, before: Date): Promise<number> =>
  Number((await endedBefore(db, before).count({ n: '*' }).first())?.n ?? 0);

/** Deletes ended workflows that are older than a time, with everything that belongs to them. */
export async function deleteEnded(trx: Transaction, before: Date, limit: number): Promise<number> {
  const uuids: string[] = await endedBefore(trx, before)
    .orderBy('uuid')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .pluck('uuid');
  if (uuids.length === 0) return 0;
  await trx(steps.table).whereIn('workflow_uuid', uuids).delete();
  await trx(signals.table).whereIn('workflow_uuid', uuids).delete();
  const rows: object[] = await trx(workflows.table).whereIn('uuid', uuids);
  await trx(workflows.table).whereIn('uuid', uuids).delete();
  recordChanges(
    trx,
    workflows,
    rows.map((row) => ({ before: workflows.decode(row), after: null })),
  );
  return uuids.length;
}
