import { type Connection, dialectOf, type Transaction } from '@enterprise-access/db';
import { foldEmail } from '../../kernel/email.ts';
import { type LicenseRow, selectLicenses } from '../store.ts';
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

/** Selected licences of one status, in the order of an index. All of them have an address. */
async function inStatus(
  db: Connection | Transaction,
  planUuid: string,
  status: LicenseStatus,
  part: string | null,
  after: LicenseRow | null,
  limit: number,
): Promise<LicenseRow[]> {
  const query = selectLicenses(db).where({ subscription_plan_uuid: planUuid, status }).whereNotNull('user_email_key');
  if (after !== null) {
    const key = foldEmail(after.userEmail ?? '');
    query.where('user_email_key', '>=', key).where((later) => {
      later.where('user_email_key', '>', key).orWhere('uuid', '>', after.uuid);
    });
  }
  if (part !== null) {
    const folded = foldEmail(part).replace(/[!%_]/g, '!$&');
    query.whereRaw(`user_email_key like ? escape '!'`, [`%${folded}%`]);
  }
  query.orderByRaw(dialectOf(db) === 'postgres' ? 'user_email_key nulls first, uuid' : 'user_email_key, uuid');
  return query.limit(limit);
}

/** Licences of a plan that filters select, a page after `after`: status by status, by address. */
export async function nextSelected(
  db: Connection | Transaction,
  planUuid: string,
  { statuses, part }: Selected,
  after: LicenseRow | null,
  limit: number,
): Promise<LicenseRow[]> {
  const from = after === null ? 0 : statuses.indexOf(after.status);
  const page: LicenseRow[] = [];
  for (const status of statuses.slice(from)) {
    const begin = after?.status === status ? after : null;
    page.push(...(await inStatus(db, planUuid, status, part, begin, limit - page.length)));
    if (page.length >= limit) break;
  }
  return page;
}
