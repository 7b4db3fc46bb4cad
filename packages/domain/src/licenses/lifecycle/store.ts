import { type Connection, dialectOf, type Transaction } from '@enterprise-access/db';
import type { PlanRow } from '../rules.ts';
import { type LicenseRow, selectLicenses } from '../store.ts';
import { customerAgreements as agreements, licenses, subscriptionPlans as plans } from '../tables.ts';
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
