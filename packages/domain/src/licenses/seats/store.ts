import type { Connection, Transaction } from '@enterprise-access/db';
import type { PlanRow } from '../rules.ts';
import { type LicenseRow, selectLicenses } from '../store.ts';
import { subscriptionPlans as plans } from '../tables.ts';

/** Bound of every read by person; nobody holds as many licences. */
const MOST_OF_PERSON = 1_000;

/** Somebody who may hold licences: by account, by address, or both. */
export interface Holder {
  readonly lmsUserId: number | null;
  /** The folded address. */
  readonly emailKey: string | null;
}

/** The holder's licences, of one customer or plan, in the order of their uuids. */
export async function licensesOfHolder(
  db: Connection | Transaction,
  where: { readonly enterprise_customer_uuid?: string; readonly subscription_plan_uuid?: string },
  { lmsUserId, emailKey }: Holder,
): Promise<LicenseRow[]> {
  const rows = async (match: object): Promise<LicenseRow[]> =>
    selectLicenses(db)
      .where({ ...where, ...match })
      .orderBy('uuid')
      .limit(MOST_OF_PERSON);
  const byAddress = emailKey === null ? [] : await rows({ user_email_key: emailKey });
  const byAccount = lmsUserId === null ? [] : await rows({ lms_user_id: lmsUserId });
  return [...new Map([...byAddress, ...byAccount].map((row) => [row.uuid, row])).values()].toSorted((a, b) =>
    a.uuid < b.uuid ? -1 : 1,
  );
}

export const plansOf = async (db: Connection, uuids: readonly string[]): Promise<PlanRow[]> =>
  uuids.length === 0 ? [] : db(plans.table).select<PlanRow[]>(plans.aliased(plans.table)).whereIn('uuid', uuids);

/** Licences of a plan in one status and with one of these folded addresses. */
export const licensesOfAddresses = async (
  db: Connection | Transaction,
  planUuid: string,
  status: LicenseRow['status'],
  emailKeys: readonly string[],
): Promise<LicenseRow[]> =>
  selectLicenses(db).where({ subscription_plan_uuid: planUuid, status }).whereIn('user_email_key', emailKeys);

/** Licences of a plan by uuid, as they are now, in the order of their uuids. */
export const licensesOfUuids = async (
  db: Connection | Transaction,
  planUuid: string,
  uuids: readonly string[],
): Promise<LicenseRow[]> =>
  uuids.length === 0
    ? []
    : selectLicenses(db).where({ subscription_plan_uuid: planUuid }).whereIn('uuid', uuids).orderBy('uuid');
