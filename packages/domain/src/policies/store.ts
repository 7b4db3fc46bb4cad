import { addToCounters, type Connection, type Transaction } from '@enterprise-access/db';
import { policyTypes } from './contract.ts';
import { type PolicyRow, policies, policyCeilings, policyDeposits, policyGroups } from './tables.ts';

export interface PolicyFilter {
  readonly enterpriseCustomerUuid: string;
  readonly active?: boolean | undefined;
  readonly policyType?: string | undefined;
}

/** One page, newest first, and the number of all, in one query. */
export async function page(db: Connection, filter: PolicyFilter, slice: { offset: number; limit: number }) {
  const base = policies
    .query(db)
    .where('enterprise_customer_uuid', filter.enterpriseCustomerUuid)
    .modify((query) => {
      if (filter.active !== undefined) query.where('active', filter.active);
      const { policyType } = filter;
      // Pass only known types to the database: MariaDB fails if an ASCII column is compared with other characters.
      if (policyType !== undefined)
        query.whereIn(
          'policy_type',
          policyTypes.filter((each) => each === policyType),
        );
    });
  const rows = (await base
    .clone()
    .select('policies.*')
    .select(db.raw('count(*) over () as total'))
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ])
    .offset(slice.offset)
    .limit(slice.limit)) as unknown as (PolicyRow & { total: number })[];
  const [first] = rows;
  // Beyond the last page there are no rows with the count.
  const count = first?.total ?? (slice.offset === 0 ? 0 : await base.resultSize());
  return { rows, count };
}

export const find = async (db: Connection, uuid: string): Promise<PolicyRow | undefined> => policies.find(db, uuid);

/** The row, locked until the transaction ends. */
export const findForUpdate = async (trx: Transaction, uuid: string): Promise<PolicyRow | undefined> =>
  policies.query(trx).findById(uuid).forUpdate();

/** Policies that can be redeemed, newest first (R-RED-10). */
export const redeemable = async (db: Connection, enterpriseCustomerUuid: string): Promise<PolicyRow[]> =>
  policies
    .query(db)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid, active: true, retired: false })
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ]);

/** Policies of a customer that take requests, locked until the transaction ends (R-REQ-10, R-REQ-13). */
export const holdRequestable = async (trx: Transaction, enterpriseCustomerUuid: string): Promise<PolicyRow[]> =>
  policies
    .query(trx)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid })
    .whereNotNull('learner_credit_request_config_uuid')
    .orderBy('uuid')
    .forUpdate();

export async function ownerOf(db: Connection, uuid: string): Promise<string | null> {
  const row: Pick<PolicyRow, 'enterpriseCustomerUuid'> | undefined = await db(policies.table)
    .where({ uuid })
    .first(policies.pick('enterpriseCustomerUuid'));
  return row?.enterpriseCustomerUuid ?? null;
}

/** Group uuids by policy; a policy without an entry is open to every learner of the customer. */
export async function groupsOf(
  db: Connection,
  policyUuids: readonly string[],
): Promise<Map<string, (string | null)[]>> {
  const groups = new Map<string, (string | null)[]>();
  if (policyUuids.length === 0) return groups;
  const rows: { policyUuid: string; enterpriseGroupUuid: string | null }[] = await db(policyGroups.table)
    .whereIn('policy_uuid', policyUuids)
    .orderBy(['created', 'uuid'])
    .select(policyGroups.pick('policyUuid', 'enterpriseGroupUuid'));
  for (const { policyUuid, enterpriseGroupUuid } of rows) {
    const known = groups.get(policyUuid);
    if (known) known.push(enterpriseGroupUuid);
    else groups.set(policyUuid, [enterpriseGroupUuid]);
  }
  return groups;
}

export const hasPendingDeposit = async (db: Connection, policyUuid: string): Promise<boolean> =>
  (await db(policyDeposits.table).where({ policy_uuid: policyUuid, state: 'pending' }).first('uuid')) !== undefined;

/** Sum of the spend limits of active policies by subsidy; no limit counts as zero. */
export async function limitsBySubsidy(
  db: Connection,
  enterpriseCustomerUuid: string,
  subsidyUuids: readonly string[],
): Promise<Map<string, number>> {
  const rows: { subsidy_uuid: string; total: number | null }[] = await db(policies.table)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid, active: true })
    .whereIn('subsidy_uuid', subsidyUuids)
    .groupBy('subsidy_uuid')
    .select('subsidy_uuid')
    .sum({ total: 'spend_limit_cents' });
  return new Map(rows.map((row) => [row.subsidy_uuid, Number(row.total ?? 0)]));
}

/**
 * Serializes changes of spend limits of one subsidy until the transaction ends. A single upsert: an insert that is
 * ignored would leave a shared lock in InnoDB, and concurrent upgrades of it deadlock. The counter must change,
 * because on a Galera cluster a row lock is not visible to other nodes.
 */
export const holdCeiling = (
  trx: Transaction,
  { subsidyUuid, enterpriseCustomerUuid }: Pick<PolicyRow, 'subsidyUuid' | 'enterpriseCustomerUuid'>,
): Promise<void> =>
  addToCounters(trx, policyCeilings.table, { key: ['subsidy_uuid'], counter: 'holds' }, [
    policyCeilings.encode({ subsidyUuid, enterpriseCustomerUuid, holds: 1 }),
  ]);

/** Stored spend of each policy, for the audit. */
export const totalsByPolicy = (db: Connection): Promise<{ uuid: string; subsidyUuid: string; spentCents: number }[]> =>
  db(policies.table)
    .orderBy('uuid')
    .select(policies.pick('uuid', 'subsidyUuid', 'spentCents'));

export const spentCents = async (db: Connection, uuid: string): Promise<number | undefined> =>
  (await db(policies.table).where({ uuid }).first('spent_cents'))?.spent_cents;
