import { type Connection, dialectOf, type Transaction } from '@enterprise-access/db';
import { foldEmail } from '../../kernel/email.ts';
import type { AgreementRow, PlanRow } from '../rules.ts';
import { type LicenseRow, selectLicenses } from '../store.ts';
import {
  customerAgreements as agreements,
  licenses,
  type PlanNotification,
  planNotifications,
  subscriptionPlans as plans,
  products,
  subscriptionPlanRenewals as renewals,
} from '../tables.ts';
import type { LicenseStatus } from '../view-contract.ts';

/** A plan with the time that its agreement lets pass until addresses are removed. */
export interface PurgedPlan
  extends Pick<PlanRow, 'uuid' | 'enterpriseCustomerUuid' | 'expirationDate' | 'forInternalUseOnly'> {
  readonly daysBeforePurge: number;
}

/** Plans with licences that have an address, in the order of their uuids. */
export const plansWithAddresses = (db: Connection, after: PurgedPlan | null, limit: number): Promise<PurgedPlan[]> => {
  const query = db(plans.table)
    .join(agreements.table, `${agreements.table}.uuid`, `${plans.table}.customer_agreement_uuid`)
    .whereRaw('assigned_count + activated_count + revoked_count > retired_count');
  if (after) query.where(`${plans.table}.uuid`, '>', after.uuid);
  return query
    .orderBy(`${plans.table}.uuid`)
    .limit(limit)
    .select({
      uuid: `${plans.table}.uuid`,
      enterpriseCustomerUuid: `${plans.table}.enterprise_customer_uuid`,
      expirationDate: `${plans.table}.expiration_date`,
      forInternalUseOnly: `${plans.table}.for_internal_use_only`,
      daysBeforePurge: `${agreements.table}.days_before_purge`,
    });
};

/** A licence in a page by address. */
export interface Addressed extends Pick<LicenseRow, 'uuid' | 'assignedDate' | 'revokedDate'> {
  readonly emailKey: string;
}

/** Licences of a plan in one status that have an address, by address. */
export async function addressed(
  db: Connection,
  planUuid: string,
  status: LicenseStatus,
  after: Addressed | null,
  limit: number,
): Promise<Addressed[]> {
  const query = db(licenses.table)
    .where({ subscription_plan_uuid: planUuid, status })
    .whereNotNull('user_email_key')
    .select({
      uuid: 'uuid',
      emailKey: 'user_email_key',
      assignedDate: 'assigned_date',
      revokedDate: 'revoked_date',
    });
  if (after)
    query.where('user_email_key', '>=', after.emailKey).where((later) => {
      later.where('user_email_key', '>', after.emailKey).orWhere('uuid', '>', after.uuid);
    });
  // The order of the index; there is no null among them.
  query.orderByRaw(dialectOf(db) === 'postgres' ? 'user_email_key nulls first, uuid' : 'user_email_key, uuid');
  return query.limit(limit);
}

/** These licences as they are now, those of this plan. */
export const licensesOf = (
  trx: Connection | Transaction,
  planUuid: string,
  uuids: readonly string[],
): Promise<LicenseRow[]> =>
  uuids.length === 0
    ? Promise.resolve([])
    : selectLicenses(trx).whereIn('uuid', uuids).where({ subscription_plan_uuid: planUuid }).orderBy('uuid');

/** Somebody who holds licences. */
export interface Person {
  readonly lmsUserId: number;
  /** The folded address, if known. */
  readonly emailKey: string | null;
}

const MOST_OF_PERSON = 10_000;

/** Plans in which the person has licences, in the order of their uuids. */
export async function plansOfPerson(db: Connection, { lmsUserId, emailKey }: Person): Promise<string[]> {
  const matches = [{ lms_user_id: lmsUserId }, ...(emailKey === null ? [] : [{ user_email_key: emailKey }])];
  const found: { uuid: string }[][] = await Promise.all(
    matches.map((match) =>
      db(licenses.table).where(match).limit(MOST_OF_PERSON).distinct({ uuid: 'subscription_plan_uuid' }),
    ),
  );
  return [...new Set(found.flat().map(({ uuid }) => uuid))].toSorted();
}

/** The person's licences in one plan. */
export async function licensesOfPerson(
  trx: Transaction,
  planUuid: string,
  { lmsUserId, emailKey }: Person,
): Promise<LicenseRow[]> {
  const own = () => selectLicenses(trx).where({ subscription_plan_uuid: planUuid }).limit(MOST_OF_PERSON);
  const rows = await own().where({ lms_user_id: lmsUserId });
  const byAddress = emailKey === null ? [] : await own().where({ user_email_key: emailKey });
  return [...new Map([...rows, ...byAddress].map((row) => [row.uuid, row])).values()];
}

/** Which plans have expired. */
export interface Expired {
  readonly now: Date;
  readonly after: Date | null;
  /** Only these, done or not. */
  readonly uuids: readonly string[] | null;
  /** Also those that are done. */
  readonly isForced: boolean;
}

/** Expired plans, the earliest start first. */
export const expiredPlans = (
  db: Connection,
  { now, after, uuids, isForced }: Expired,
  last: PlanRow | null,
  limit: number,
): Promise<PlanRow[]> => {
  const query = db(plans.table).where('expiration_date', '<=', now);
  if (uuids !== null) query.whereIn('uuid', [...uuids]);
  else {
    if (after !== null) query.where('expiration_date', '>=', after);
    if (!isForced) query.where({ expiration_processed: false });
  }
  if (last)
    query.where('start_date', '>=', last.startDate).where((later) => {
      later.where('start_date', '>', last.startDate).orWhere('uuid', '>', last.uuid);
    });
  return query.select<PlanRow[]>(plans.aliased(plans.table)).orderBy(['start_date', 'uuid']).limit(limit);
};

/** Licences of a plan in the order of their uuids. */
export const licensesAfter = (
  db: Connection,
  planUuid: string,
  after: string | null,
  limit: number,
): Promise<LicenseRow[]> => {
  const query = selectLicenses(db).where({ subscription_plan_uuid: planUuid });
  if (after !== null) query.where('uuid', '>', after);
  return query.orderBy('uuid').limit(limit);
};

type Progress = Partial<Pick<PlanRow, 'expirationProgressOf' | 'expirationSentTo' | 'expirationAnnouncedTo'>>;

/** Notes how far a job has come with the licences of a plan. */
export const rememberProgress = (db: Connection, planUuid: string, progress: Progress): Promise<number> =>
  db(plans.table).where({ uuid: planUuid }).update(plans.encode(progress));

const plansOf = (db: Connection, customers: readonly string[], after: Pick<PlanRow, 'uuid'> | null) => {
  const query = db(plans.table).whereIn('enterprise_customer_uuid', [...customers]);
  return after ? query.where('uuid', '>', after.uuid) : query;
};

/** Plans of these customers that expired before a time and have licences that somebody holds. */
export const longExpiredPlans = (
  db: Connection,
  customers: readonly string[],
  before: Date,
  after: PlanRow | null,
  limit: number,
): Promise<PlanRow[]> =>
  plansOf(db, customers, after)
    .where('expiration_date', '<', before)
    .whereRaw('assigned_count + activated_count > 0')
    .select<PlanRow[]>(plans.aliased(plans.table))
    .orderBy('uuid')
    .limit(limit);

export const activePlansOf = (
  db: Connection,
  customers: readonly string[],
  after: PlanRow | null,
  limit: number,
): Promise<PlanRow[]> =>
  plansOf(db, customers, after)
    .where({ is_active: true })
    .where('activated_count', '>', 0)
    .select<PlanRow[]>(plans.aliased(plans.table))
    .orderBy('uuid')
    .limit(limit);

/** Licences of a plan whose holders may still be linked to the customer by them. */
export const linkedLicenses = (
  db: Connection,
  planUuid: string,
  after: string | null,
  limit: number,
): Promise<LicenseRow[]> => {
  const query = selectLicenses(db)
    .where({ subscription_plan_uuid: planUuid, live: 1 })
    .whereNull('renewed_to_uuid')
    .whereNull('unlinked');
  if (after !== null) query.where('uuid', '>', after);
  return query.orderBy('uuid').limit(limit);
};

/**
 * Which of these licences of one customer belong to somebody who can use another one, of an active and current plan. A
 * revoked licence is no such.
 */
export async function withUsableLicense(
  db: Connection,
  rows: readonly LicenseRow[],
  now: Date,
): Promise<ReadonlySet<string>> {
  const [first] = rows;
  if (!first) return new Set();
  const usable = () =>
    db(licenses.table)
      .join(plans.table, `${plans.table}.uuid`, `${licenses.table}.subscription_plan_uuid`)
      .where(`${licenses.table}.enterprise_customer_uuid`, first.enterpriseCustomerUuid)
      .where(`${licenses.table}.live`, 1)
      .where(`${plans.table}.is_active`, true)
      .where(`${plans.table}.start_date`, '<=', now)
      .where(`${plans.table}.expiration_date`, '>=', now);
  const keyOf = (row: LicenseRow) => foldEmail(row.userEmail ?? '');
  const accounts = rows.flatMap(({ lmsUserId }) => lmsUserId ?? []);
  const byAddress = await usable().whereIn('user_email_key', rows.map(keyOf)).distinct('user_email_key');
  const byAccount =
    accounts.length === 0 ? [] : await usable().whereIn('lms_user_id', accounts).distinct('lms_user_id');
  const addresses = new Set(byAddress.map((row) => row.user_email_key));
  const users = new Set(byAccount.map((row) => row.lms_user_id));
  return new Set(rows.filter((row) => addresses.has(keyOf(row)) || users.has(row.lmsUserId)).map(({ uuid }) => uuid));
}

/** An order of licences by the time of activation, as the index has it. */
const byActivation = (db: Connection): string =>
  dialectOf(db) === 'postgres' ? 'activation_date nulls first, uuid' : 'activation_date, uuid';

/** Activated licences of a plan, the earliest activation first. */
export const activatedLicenses = (
  db: Connection,
  planUuid: string,
  after: LicenseRow | null,
  limit: number,
  before?: Date,
): Promise<LicenseRow[]> => {
  const query = selectLicenses(db).where({ subscription_plan_uuid: planUuid, status: 'activated' });
  if (before) query.where('activation_date', '<', before);
  if (after?.activationDate)
    query.where('activation_date', '>=', after.activationDate).where((later) => {
      later.where('activation_date', '>', after.activationDate).orWhere('uuid', '>', after.uuid);
    });
  return query.orderByRaw(byActivation(db)).limit(limit) as unknown as Promise<LicenseRow[]>;
};

/** Agreements whose current plan grows by itself, in the order of their uuids. */
export async function scalingAgreements(
  db: Connection,
  after: AgreementRow | null,
  limit: number,
): Promise<AgreementRow[]> {
  const query = db(agreements.table).where({ enable_auto_scaling_of_current_plan: true });
  if (after) query.where('uuid', '>', after.uuid);
  const rows: object[] = await query.select(agreements.aliased(agreements.table)).orderBy('uuid').limit(limit);
  return rows.map((row) => agreements.decode(row));
}

/** Plans in use that are sold: neither internal nor done after their expiration. */
const soldPlans = (db: Connection) =>
  db(plans.table).where(`${plans.table}.expiration_processed`, false).where('for_internal_use_only', false);

/** Catalogs of plans in use, each once, in their order. */
export async function catalogsOfPlans(db: Connection, after: string | null, limit: number): Promise<string[]> {
  const query = soldPlans(db);
  if (after !== null) query.where('enterprise_catalog_uuid', '>', after);
  const rows = await query
    .distinct({ catalog: 'enterprise_catalog_uuid' })
    .orderBy('enterprise_catalog_uuid')
    .limit(limit);
  return rows.map(({ catalog }) => catalog);
}

/** Number of kinds of plans in use. */
export async function countPlanTypes(db: Connection): Promise<number> {
  const counted = await soldPlans(db)
    .join(products.table, `${products.table}.id`, `${plans.table}.product_id`)
    .countDistinct({ n: `${products.table}.plan_type_id` })
    .first();
  return Number(counted?.n ?? 0);
}

/** Plans that expire within a window and are not renewed, of customers whose learners are told of it. */
export const plansToTellOf = (
  db: Connection,
  { from, to }: { readonly from: Date; readonly to: Date },
  after: PlanRow | null,
  limit: number,
): Promise<PlanRow[]> => {
  const query = db(plans.table)
    .join(agreements.table, `${agreements.table}.uuid`, `${plans.table}.customer_agreement_uuid`)
    .where(`${agreements.table}.disable_expiration_notifications`, false)
    .where(`${plans.table}.expiration_date`, '>=', from)
    .where(`${plans.table}.expiration_date`, '<', to)
    .where(`${plans.table}.is_active`, true)
    .where(`${plans.table}.for_internal_use_only`, false)
    .where(`${plans.table}.activated_count`, '>', 0)
    .whereNotExists(
      db(renewals.table)
        .whereRaw('?? = ??', [`${renewals.table}.prior_subscription_plan_uuid`, `${plans.table}.uuid`])
        .select('id'),
    );
  if (after) query.where(`${plans.table}.uuid`, '>', after.uuid);
  return query.select<PlanRow[]>(plans.aliased(plans.table)).orderBy(`${plans.table}.uuid`).limit(limit);
};

/** Notes of which expiration the holders of these licences were told; those with another holder now are left out. */
export async function markTold(
  trx: Transaction,
  { uuid: planUuid, expirationDate }: PlanRow,
  marker: 'remindedOfExpiration' | 'toldOfExpiration',
  told: readonly LicenseRow[],
): Promise<void> {
  const addressOf = new Map(told.map(({ uuid, userEmail }) => [uuid, userEmail]));
  const rows = await licensesOf(trx, planUuid, [...addressOf.keys()]);
  const same = rows.filter(({ uuid, userEmail }) => userEmail === addressOf.get(uuid)).map(({ uuid }) => uuid);
  if (same.length > 0)
    await trx(licenses.table)
      .whereIn('uuid', same)
      .update({ [licenses.stored[marker]]: expirationDate });
}

/** Plans that apply licences automatically since a time and were not told of. */
export const plansToTellUtilizationOf = (
  db: Connection,
  now: Date,
  since: Date,
  after: PlanRow | null,
  limit: number,
): Promise<PlanRow[]> => {
  const query = db(plans.table)
    .where({ should_auto_apply_licenses: true, is_active: true })
    .where('auto_apply_since', '<=', since)
    .where('start_date', '<=', now)
    .where('expiration_date', '>=', now)
    .whereNotExists(
      db(planNotifications.table)
        .whereRaw('?? = ??', [`${planNotifications.table}.subscription_plan_uuid`, `${plans.table}.uuid`])
        .where({ kind: 'periodic_informational' })
        .select('kind'),
    );
  if (after) query.where('uuid', '>', after.uuid);
  return query.select<PlanRow[]>(plans.aliased(plans.table)).orderBy('uuid').limit(limit);
};

/** Mails about a plan that were sent. */
export const notificationsOf = async (db: Connection, planUuid: string): Promise<ReadonlySet<PlanNotification>> => {
  const rows: { kind: PlanNotification }[] = await db(planNotifications.table)
    .where({ subscription_plan_uuid: planUuid })
    .select('kind');
  return new Set(rows.map(({ kind }) => kind));
};

/** Licences of a plan that were applied since this is done automatically. */
export const countApplied = async (
  db: Connection,
  { uuid, autoApplySince }: Pick<PlanRow, 'uuid' | 'autoApplySince'>,
): Promise<number> => {
  if (autoApplySince === null) return 0;
  const counted = await db(licenses.table)
    .where({ subscription_plan_uuid: uuid, status: 'activated', auto_applied: true })
    .where('activation_date', '>=', autoApplySince)
    .count({ n: '*' })
    .first();
  return Number(counted?.n ?? 0);
};

/** Id of a product; null if there is none of that name. */
export const productNamed = async (db: Connection, name: string): Promise<number | null> =>
  (await db(products.table).where({ name }).orderBy('id').first('id'))?.id ?? null;
