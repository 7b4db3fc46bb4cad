import type { Connection, Row, Transaction } from '@enterprise-access/db';
import type { PlanRow } from './rules.ts';
import { selectLicenses } from './store.ts';
import {
  customerAgreements as agreements,
  type licenses,
  subscriptionPlans as plans,
  subscriptionPlanRenewals as renewals,
} from './tables.ts';

type AgreementRow = Readonly<Row<typeof agreements>>;
type LicenseRow = Readonly<Row<typeof licenses>>;

const selectPlans = (db: Connection) => db(plans.table).select<PlanRow[]>(plans.aliased(plans.table));

/** Other agreements with the customer or the slug of this one. */
export const agreementsLike = async (
  db: Connection,
  { uuid, enterpriseCustomerUuid, enterpriseCustomerSlug }: AgreementRow,
): Promise<AgreementRow[]> => {
  const rows: object[] = await db(agreements.table)
    .select(agreements.aliased(agreements.table))
    .whereNot({ uuid })
    .where((either) => {
      either.where({ enterprise_customer_uuid: enterpriseCustomerUuid });
      if (enterpriseCustomerSlug !== null) either.orWhere({ enterprise_customer_slug: enterpriseCustomerSlug });
    })
    .limit(2);
  return rows.map((row) => agreements.decode(row));
};

export async function holdAgreement(trx: Transaction, uuid: string): Promise<AgreementRow | undefined> {
  const row: object | undefined = await trx(agreements.table)
    .select(agreements.aliased(agreements.table))
    .where({ uuid })
    .forUpdate()
    .first();
  return row && agreements.decode(row);
}

/**
 * The agreement, held by whoever changes how its plans relate to each other. It is written: on a cluster a lock is
 * known to one node only.
 */
export async function touchAgreement(trx: Transaction, uuid: string, now: Date): Promise<AgreementRow | undefined> {
  const row = await holdAgreement(trx, uuid);
  if (row) await trx(agreements.table).where({ uuid }).update({ modified: now });
  return row;
}

/** Plans in the order of their uuids, locked until the transaction ends. */
export const holdPlans = async (trx: Transaction, uuids: readonly string[]): Promise<Map<string, PlanRow>> => {
  const rows = await selectPlans(trx).whereIn('uuid', uuids).orderBy('uuid').forUpdate();
  return new Map(rows.map((row) => [row.uuid, row]));
};

export const holdPlansOfAgreement = async (trx: Transaction, agreementUuid: string): Promise<PlanRow[]> =>
  selectPlans(trx).where({ customer_agreement_uuid: agreementUuid }).orderBy('uuid').forUpdate();

/** Changes a plan that the caller holds. */
export async function changePlan(
  trx: Transaction,
  before: PlanRow,
  change: Partial<PlanRow>,
  now: Date,
  note?: string,
): Promise<PlanRow> {
  const after: PlanRow = { ...before, ...change, modified: now };
  await plans.change(trx, before, after, note);
  return after;
}

/** The plan that was renewed by this one; null if none was. */
export const priorPlanOf = async (db: Connection, planUuid: string): Promise<string | null> =>
  (
    await db(renewals.table)
      .where({ renewed_subscription_plan_uuid: planUuid })
      .first({ prior: 'prior_subscription_plan_uuid' })
  )?.prior ?? null;

/** Revoked licences of a plan that the caller holds. */
export const revokedLicenses = (trx: Transaction, planUuid: string, limit: number): Promise<LicenseRow[]> =>
  selectLicenses(trx)
    .where({ subscription_plan_uuid: planUuid, status: 'revoked' })
    .orderBy(['status', 'user_email_key', 'uuid'])
    .limit(limit)
    .forUpdate();

/** Licences that were renewed to these. The caller holds their plan. */
export const licensesRenewedTo = (trx: Transaction, uuids: readonly string[]): Promise<LicenseRow[]> =>
  selectLicenses(trx).whereIn('renewed_to_uuid', uuids).orderBy('uuid').forUpdate();
