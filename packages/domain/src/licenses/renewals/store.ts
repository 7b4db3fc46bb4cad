import { type Connection, recordChanges, type Transaction } from '@enterprise-access/db';
import type { PlanRow, RenewalRow } from '../rules.ts';
import { licenses, subscriptionPlans as plans, subscriptionPlanRenewals as renewals } from '../tables.ts';
import type { LicenseRow } from '../view.ts';
import type { LicenseStatus } from '../view-contract.ts';

const select = (db: Connection) => db(renewals.table).select<RenewalRow[]>(renewals.aliased(renewals.table));

export const find = (db: Connection, id: number): Promise<RenewalRow | undefined> => select(db).where({ id }).first();

/** Locks a renewal before its licences are. */
export const hold = async (trx: Transaction, id: number): Promise<void> => {
  await trx(renewals.table).where({ id }).select('id').forUpdate();
};

interface Filter {
  readonly salesforceOpportunityId?: string | undefined;
  readonly priorSubscriptionPlan?: string | undefined;
  readonly renewedSubscriptionPlan?: string | undefined;
}

export async function page(
  db: Connection,
  { salesforceOpportunityId, priorSubscriptionPlan, renewedSubscriptionPlan }: Filter,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<{ rows: RenewalRow[]; count: number }> {
  const where: Record<string, string> = {};
  if (salesforceOpportunityId !== undefined) where.salesforce_opportunity_id = salesforceOpportunityId;
  if (priorSubscriptionPlan !== undefined) where.prior_subscription_plan_uuid = priorSubscriptionPlan;
  if (renewedSubscriptionPlan !== undefined) where.renewed_subscription_plan_uuid = renewedSubscriptionPlan;
  const [rows, counted] = await Promise.all([
    select(db).where(where).orderBy('id').offset(offset).limit(limit),
    db(renewals.table).where(where).count({ n: '*' }).first(),
  ]);
  return { rows, count: Number(counted?.n ?? 0) };
}

/** Plans by uuid. */
export const plansByUuid = async (db: Connection, uuids: readonly (string | null)[]): Promise<Map<string, PlanRow>> => {
  const wanted = [...new Set(uuids.filter((uuid) => uuid !== null))];
  const rows: PlanRow[] =
    wanted.length === 0 ? [] : await db(plans.table).select(plans.aliased(plans.table)).whereIn('uuid', wanted);
  return new Map(rows.map((row) => [row.uuid, row]));
};

/** Renewals that begin at the one plan or end at the other. */
export const touching = (db: Connection, prior: string, renewed: string | null): Promise<RenewalRow[]> =>
  select(db)
    .where({ prior_subscription_plan_uuid: prior })
    .modify((query) => {
      if (renewed !== null) query.orWhere({ renewed_subscription_plan_uuid: renewed });
    })
    .orderBy('id');

/** Stores a new renewal; the database gives its id. */
export async function insert(trx: Transaction, row: Omit<RenewalRow, 'id'>): Promise<RenewalRow> {
  await trx(renewals.table).insert(renewals.encode(row));
  const stored = await select(trx).where({ uuid: row.uuid }).first();
  if (!stored) throw new Error('A renewal that was stored is not there.');
  recordChanges(trx, renewals, [{ before: null, after: stored }]);
  return stored;
}

export async function remove(trx: Transaction, row: RenewalRow): Promise<void> {
  await trx(renewals.table).where({ id: row.id }).delete();
  recordChanges(trx, renewals, [{ before: row, after: null }]);
}

export const isTitleTaken = async (db: Connection, agreementUuid: string, title: string): Promise<boolean> =>
  (await db(plans.table).where({ customer_agreement_uuid: agreementUuid, title }).first('uuid')) !== undefined;

/** Unprocessed renewals whose date is not after `until`, oldest first, after the given one. */
export const due = (
  db: Connection,
  until: Date,
  after: Pick<RenewalRow, 'id' | 'effectiveDate'> | null,
  limit: number,
): Promise<RenewalRow[]> =>
  select(db)
    .where({ processed: false, exempt_from_batch_processing: false })
    .where('effective_date', '<=', until)
    .modify((query) => {
      if (after)
        query
          .where('effective_date', '>=', after.effectiveDate)
          .where((either) => either.where('effective_date', '>', after.effectiveDate).orWhere('id', '>', after.id));
    })
    .orderBy(['effective_date', 'id'])
    .limit(limit);

/** A licence with the form of its address by which it is ordered. */
export type OrderedLicense = LicenseRow & { readonly userEmailKey: string | null };

/** Licences of a plan in a status in the order of their addresses, after the given one. */
export const licensesInOrder = (
  trx: Transaction,
  planUuid: string,
  status: LicenseStatus,
  after: OrderedLicense | null,
  limit: number,
): Promise<OrderedLicense[]> =>
  trx(licenses.table)
    .select<OrderedLicense[]>({ ...licenses.aliased(licenses.table), userEmailKey: 'user_email_key' })
    .where({ subscription_plan_uuid: planUuid, status })
    .whereNotNull('user_email_key')
    .modify((query) => {
      if (after)
        query
          .where('user_email_key', '>=', after.userEmailKey)
          .where((either) => either.where('user_email_key', '>', after.userEmailKey).orWhere('uuid', '>', after.uuid));
    })
    .orderBy(['user_email_key', 'uuid'])
    .limit(limit);

/** Licences that were free until now, or are new, with their new holders. */
export async function storeHeld(trx: Transaction, rows: readonly LicenseRow[]): Promise<void> {
  if (rows.length === 0) return;
  await trx(licenses.table)
    .insert(rows.map((row) => licenses.encode(row)))
    .onConflict('uuid')
    .merge();
}
