import type { Connection, Transaction } from '@enterprise-access/db';
import { selectLicenses } from '../store.ts';
import { type LicenseStatus, licenseStatuses } from '../view-contract.ts';
import type { Selection } from './change-contract.ts';

/** What a list of filters asks for; of several with one name the last counts. */
interface Selected {
  readonly statuses: readonly LicenseStatus[];
  readonly part: string | null;
}

export function selectedBy(filters: readonly Selection[], among: readonly LicenseStatus[]): Selected {
  const last = (name: string) => filters.findLast((filter) => filter.name === name)?.filterValue;
  const [wanted, part] = [last('status_in'), last('user_email')];
  return {
    statuses: licenseStatuses.filter(
      (status) => among.includes(status) && (!Array.isArray(wanted) || wanted.includes(status)),
    ),
    part: typeof part === 'string' && part !== '' ? part : null,
  };
}

/** Licences of a plan that filters select, in pages by uuid. */
export const nextSelected = async (
  db: Connection | Transaction,
  planUuid: string,
  { statuses, part }: Selected,
  after: string | null,
  limit: number,
) => {
  if (statuses.length === 0) return [];
  const query = selectLicenses(db)
    .where({ subscription_plan_uuid: planUuid })
    .whereIn('status', [...statuses]);
  if (after !== null) query.where('uuid', '>', after);
  if (part !== null) {
    const folded = part.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replace(/[!%_]/g, '!$&');
    query.whereRaw(`user_email_key like ? escape '!'`, [`%${folded}%`]);
  }
  return query.orderBy('uuid').limit(limit);
};
