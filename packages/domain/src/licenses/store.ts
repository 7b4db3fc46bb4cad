import { type Connection, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import type { VisibleCustomers } from '../kernel/actor.ts';
import type { PlanRow, RenewalRow } from './rules.ts';
import {
  customerAgreements as agreements,
  licenses,
  subscriptionPlans as plans,
  planTypes,
  products,
  subscriptionPlanRenewals as renewals,
} from './tables.ts';
import type { LicenseStatus } from './view-contract.ts';

type AgreementRow = Readonly<Row<typeof agreements>>;
export type LicenseRow = Readonly<Row<typeof licenses>>;

interface Slice {
  readonly offset: number;
  readonly limit: number;
}

const selectAgreements = (db: Connection) =>
  db(agreements.table).select<Record<string, unknown>[]>(agreements.aliased(agreements.table));
const selectPlans = (db: Connection) => db(plans.table).select<PlanRow[]>(plans.aliased(plans.table));
export const selectLicenses = (db: Connection) =>
  db(licenses.table).select<LicenseRow[]>(licenses.aliased(licenses.table));

export const findAgreement = (db: Connection, uuid: string): Promise<AgreementRow | undefined> =>
  agreements.find(db, uuid);

export async function agreementOfCustomer(db: Connection, customer: string): Promise<AgreementRow | undefined> {
  const [row] = await selectAgreements(db).where({ enterprise_customer_uuid: customer }).limit(1);
  return row && agreements.decode(row);
}

export const agreementsOf = async (db: Connection, uuids: readonly string[]): Promise<AgreementRow[]> =>
  uuids.length === 0 ? [] : (await selectAgreements(db).whereIn('uuid', uuids)).map((row) => agreements.decode(row));

export interface AgreementFilter {
  readonly visible: VisibleCustomers;
  readonly enterpriseCustomerUuid?: string | undefined;
}

/** Agreements in the order of their uuids. */
export async function pageOfAgreements(
  db: Connection,
  { visible, enterpriseCustomerUuid }: AgreementFilter,
  { offset, limit }: Slice,
): Promise<{ rows: AgreementRow[]; count: number }> {
  const matching = () => {
    const query = db(agreements.table);
    if (visible !== 'all') query.whereIn('enterprise_customer_uuid', visible);
    if (enterpriseCustomerUuid !== undefined) query.where({ enterprise_customer_uuid: enterpriseCustomerUuid });
    return query;
  };
  const [rows, counted] = await Promise.all([
    matching().select<object[]>(agreements.aliased(agreements.table)).orderBy('uuid').offset(offset).limit(limit),
    matching().count({ n: '*' }).first(),
  ]);
  return { rows: rows.map((row) => agreements.decode(row)), count: Number(counted?.n ?? 0) };
}

export const findPlan = (db: Connection, uuid: string): Promise<PlanRow | undefined> => plans.find(db, uuid);

/** The plan, locked until the transaction ends: whoever changes its licences takes this lock first. */
export const holdPlan = async (trx: Transaction, uuid: string): Promise<PlanRow | undefined> =>
  selectPlans(trx).where({ uuid }).forUpdate().first();

export const plansOfAgreements = async (db: Connection, uuids: readonly string[]): Promise<PlanRow[]> =>
  uuids.length === 0 ? [] : selectPlans(db).whereIn('customer_agreement_uuid', uuids);

export const renewalsOfAgreements = async (db: Connection, uuids: readonly string[]): Promise<RenewalRow[]> =>
  uuids.length === 0
    ? []
    : db(renewals.table)
        .select<RenewalRow[]>(renewals.aliased(renewals.table))
        .whereIn('customer_agreement_uuid', uuids)
        .orderBy('id');

export interface PlanFilter {
  readonly visible: VisibleCustomers;
  readonly enterpriseCustomerUuid?: string | undefined;
  readonly uuid?: string | undefined;
  readonly activeOnly: boolean;
  /** Only the plan that is active and current now and was created last (R-LIC-15). */
  readonly currentAt?: Date | undefined;
}

/** Plans, the newest start first. */
export async function pageOfPlans(
  db: Connection,
  filter: PlanFilter,
  { offset, limit }: Slice,
): Promise<{ rows: PlanRow[]; count: number }> {
  const { visible, enterpriseCustomerUuid, uuid, activeOnly, currentAt } = filter;
  const matching = () => {
    const query = db(plans.table);
    if (visible !== 'all') query.whereIn('enterprise_customer_uuid', visible);
    if (enterpriseCustomerUuid !== undefined) query.where({ enterprise_customer_uuid: enterpriseCustomerUuid });
    if (uuid !== undefined) query.where({ uuid });
    if (activeOnly || currentAt !== undefined) query.where({ is_active: true });
    if (currentAt !== undefined) query.where('start_date', '<=', currentAt).where('expiration_date', '>=', currentAt);
    return query;
  };
  const ordered = matching().select<PlanRow[]>(plans.aliased(plans.table));
  if (currentAt !== undefined) {
    const rows: PlanRow[] = await ordered.orderBy('created', 'desc').orderBy('uuid').limit(1);
    return { rows: offset > 0 ? [] : rows, count: rows.length };
  }
  const [rows, counted] = await Promise.all([
    ordered.orderBy('start_date', 'desc').orderBy('uuid', 'desc').offset(offset).limit(limit),
    matching().count({ n: '*' }).first(),
  ]);
  return { rows, count: Number(counted?.n ?? 0) };
}

/** Every product with the label of its plan type. There are few. */
export const productsWithTypes = (db: Connection): Promise<{ id: number; planType: string }[]> =>
  db(products.table)
    .join(planTypes.table, `${planTypes.table}.id`, `${products.table}.plan_type_id`)
    .select({ id: `${products.table}.id`, planType: `${planTypes.table}.label` });

/** Customer of a plan, an agreement, a licence. */
const ownerIn =
  (table: string) =>
  async (db: Connection, uuid: string): Promise<string | null> =>
    (await db(table).where({ uuid }).first('enterprise_customer_uuid'))?.enterprise_customer_uuid ?? null;
export const ownerOfPlan = ownerIn(plans.table);
export const ownerOfAgreement = ownerIn(agreements.table);
export const ownerOfLicense = ownerIn(licenses.table);

export const findLicense = async (db: Connection, planUuid: string, uuid: string): Promise<LicenseRow | undefined> =>
  selectLicenses(db).where({ uuid, subscription_plan_uuid: planUuid }).first();

/** Licences of an address in a plan that are assigned or activated, by any spelling of the address. */
export const liveLicenses = async (
  db: Connection,
  planUuid: string,
  emailKeys: readonly string[],
): Promise<LicenseRow[]> =>
  emailKeys.length === 0
    ? []
    : selectLicenses(db)
        .where({ subscription_plan_uuid: planUuid, live: 1 })
        .whereIn('user_email_key', emailKeys)
        .orderBy('uuid');

export const plansOf = async (db: Connection, uuids: readonly string[]): Promise<PlanRow[]> =>
  uuids.length === 0 ? [] : selectPlans(db).whereIn('uuid', uuids);

/** Licences of an address by any spelling, of one customer or of all; the newest assignment first. */
export async function licensesOfAddress(
  db: Connection,
  { emailKey, enterpriseCustomerUuid }: { readonly emailKey: string; readonly enterpriseCustomerUuid?: string },
  { offset, limit }: Slice,
): Promise<{ rows: LicenseRow[]; count: number }> {
  const matching = () => {
    const query = db(licenses.table).where({ user_email_key: emailKey });
    return enterpriseCustomerUuid === undefined
      ? query
      : query.where({ enterprise_customer_uuid: enterpriseCustomerUuid });
  };
  const [rows, counted] = await Promise.all([
    matching()
      .select<LicenseRow[]>(licenses.aliased(licenses.table))
      .orderBy([
        { column: 'assigned_date', order: 'desc' },
        { column: 'uuid', order: 'desc' },
      ])
      .offset(offset)
      .limit(limit),
    matching().count({ n: '*' }).first(),
  ]);
  return { rows, count: Number(counted?.n ?? 0) };
}

const csvColumns = licenses.pick('uuid', 'status', 'userEmail', 'activationKey', 'activationDate', 'lastRemindDate');
export type CsvRow = Pick<LicenseRow, keyof typeof csvColumns>;

/** Licences of a plan in one status after a licence, in the order of their uuids. */
export const licensesInStatus = (
  db: Connection,
  planUuid: string,
  status: LicenseStatus,
  after: string | null,
  limit: number,
): Promise<CsvRow[]> => {
  const query = db(licenses.table)
    .where({ subscription_plan_uuid: planUuid, status })
    .orderBy('uuid')
    .limit(limit)
    .select<CsvRow[]>(csvColumns);
  return after === null ? query : query.where('uuid', '>', after);
};

/** Assigned and activated licences of a plan after a licence, in the order of their uuids. */
export async function heldLicensesAfter(
  db: Connection,
  planUuid: string,
  after: string | null,
  limit: number,
): Promise<LicenseRow[]> {
  const query = selectLicenses(db).where({ subscription_plan_uuid: planUuid, live: 1 }).orderBy('uuid').limit(limit);
  return after === null ? query : query.where('uuid', '>', after);
}

/** Assigned and activated licences of learners in some plans, by the addresses as they are compared. */
export const licensesOfLearners = async (
  db: Connection,
  planUuids: readonly string[],
  emailKeys: readonly string[],
): Promise<LicenseRow[]> =>
  planUuids.length === 0 || emailKeys.length === 0
    ? []
    : selectLicenses(db)
        .where({ live: 1 })
        .whereIn('subscription_plan_uuid', planUuids)
        .whereIn('user_email_key', emailKeys);

/**
 * Free licences of a plan, locked. Those that a running provisioning has not committed yet are passed over. The caller
 * holds the plan, so nobody else takes them.
 */
export const takeUnassigned = (trx: Transaction, planUuid: string, limit: number): Promise<LicenseRow[]> =>
  selectLicenses(trx)
    .where({ subscription_plan_uuid: planUuid, status: 'unassigned' })
    .orderBy(['status', 'user_email_key', 'uuid'])
    .limit(limit)
    .forUpdate()
    .skipLocked();

/** A change of a licence. */
export interface LicenseChange {
  readonly before: LicenseRow;
  readonly after: LicenseRow;
  readonly note?: string | null;
}

type Counter = 'unassignedCount' | 'assignedCount' | 'activatedCount' | 'revokedCount';
const counterOf: Readonly<Record<LicenseStatus, Counter>> = {
  unassigned: 'unassignedCount',
  assigned: 'assignedCount',
  activated: 'activatedCount',
  revoked: 'revokedCount',
};

const isRetired = ({ status, userEmail }: LicenseRow): boolean => status === 'revoked' && userEmail === null;

/** How changes and new licences move the counters of their plan. */
function countersAfter(
  changes: readonly { readonly before: LicenseRow | null; readonly after: LicenseRow | null }[],
): Partial<Record<Counter | 'retiredCount', number>> {
  const moved: Partial<Record<Counter | 'retiredCount', number>> = {};
  const add = (row: LicenseRow | null, n: number) => {
    if (row === null) return;
    moved[counterOf[row.status]] = (moved[counterOf[row.status]] ?? 0) + n;
    if (isRetired(row)) moved.retiredCount = (moved.retiredCount ?? 0) + n;
  };
  for (const { before, after } of changes) {
    add(before, -1);
    add(after, 1);
  }
  return moved;
}

const { uuid: _uuid, enterpriseCustomerUuid: _customer, created: _created, ...changing } = licenses.stored;

/**
 * Stores changed licences of one plan in one statement, with their records, and moves the plan's counters. The caller
 * holds the plan and has read the rows under that lock.
 */
export async function writeLicenses(
  trx: Transaction,
  planUuid: string,
  changes: readonly LicenseChange[],
  planChange: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  if (changes.length === 0) return;
  await trx(licenses.table)
    .insert(changes.map(({ after }) => licenses.encode(after)))
    .onConflict('uuid')
    .merge(Object.values(changing));
  recordChanges(trx, licenses, changes);
  await moveCounters(trx, planUuid, countersAfter(changes), planChange);
}

/**
 * The same change of licences of one plan, in one statement, with their records; moves the plan's counters. The caller
 * holds the plan and has read the rows under that lock.
 */
export async function changeLicenses(
  trx: Transaction,
  planUuid: string,
  rows: readonly LicenseRow[],
  change: Partial<LicenseRow>,
  note?: string,
): Promise<LicenseRow[]> {
  const after = rows.map((row) => ({ ...row, ...change }));
  if (rows.length === 0) return after;
  const uuids = rows.map(({ uuid }) => uuid);
  await trx(licenses.table).whereIn('uuid', uuids).update(licenses.encode(change));
  const changes = rows.map((before, at) => ({ before, after: after[at] ?? before, note: note ?? null }));
  recordChanges(trx, licenses, changes);
  await moveCounters(trx, planUuid, countersAfter(changes));
  return after;
}

/** Stores new licences of a plan that the caller holds, with their records and the plan's counters. */
export async function insertLicenses(trx: Transaction, planUuid: string, rows: readonly LicenseRow[]): Promise<void> {
  if (rows.length === 0) return;
  const changes = rows.map((after) => ({ before: null, after }));
  await trx(licenses.table).insert(rows.map((row) => licenses.encode(row)));
  recordChanges(trx, licenses, changes);
  await moveCounters(trx, planUuid, countersAfter(changes));
}

/**
 * Moves licences of one plan to another plan of the same agreement, with their records and the counters of both. The
 * caller holds both plans and has read the rows under that lock.
 */
export async function moveLicenses(
  trx: Transaction,
  { from, to }: { readonly from: string; readonly to: string },
  rows: readonly LicenseRow[],
  now: Date,
): Promise<void> {
  if (rows.length === 0) return;
  const after = { subscriptionPlanUuid: to, modified: now };
  const uuids = rows.map(({ uuid }) => uuid);
  await trx(licenses.table).whereIn('uuid', uuids).update(licenses.encode(after));
  recordChanges(
    trx,
    licenses,
    rows.map((before) => ({ before, after: { ...before, ...after }, note: 'transferred' })),
  );
  await moveCounters(trx, from, countersAfter(rows.map((before) => ({ before, after: null }))));
  await moveCounters(trx, to, countersAfter(rows.map((row) => ({ before: null, after: row }))));
}

/** Adds to the counters of a plan. */
export async function moveCounters(
  trx: Transaction,
  planUuid: string,
  moved: Partial<Record<Counter | 'retiredCount', number>>,
  planChange: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const added = Object.entries(moved).filter(([, n]) => n !== 0);
  if (added.length === 0 && Object.keys(planChange).length === 0) return;
  await trx(plans.table)
    .where({ uuid: planUuid })
    .update({
      ...planChange,
      ...Object.fromEntries(
        added.map(([name, n]) => {
          const column = plans.stored[name as Counter];
          return [column, trx.raw('?? + ?', [column, n])];
        }),
      ),
    });
}

/**
 * Counts new free licences of a plan, unless there would be more than desired or the plan was frozen; tells whether it
 * did. Locks the plan.
 */
export const countNewSeats = async (trx: Transaction, planUuid: string, seats: number): Promise<boolean> =>
  (await trx(plans.table)
    .where({ uuid: planUuid })
    .whereNull('last_freeze_timestamp')
    .whereRaw('unassigned_count + assigned_count + activated_count + ? <= desired_num_licenses', [seats])
    .increment('unassigned_count', seats)) === 1;

/** Some licences of a plan, locked. The caller holds the plan. */
export const licensesOfPlan = (trx: Transaction, planUuid: string, uuids: readonly string[]): Promise<LicenseRow[]> =>
  selectLicenses(trx).where({ subscription_plan_uuid: planUuid }).whereIn('uuid', uuids).orderBy('uuid').forUpdate();
