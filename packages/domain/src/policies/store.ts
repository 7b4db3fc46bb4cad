import {
  addToCounters,
  type Connection,
  defineModel,
  defineSubject,
  is,
  type Transaction,
} from '@enterprise-access/db';
import { type accessMethods, policyTypes } from './contract.ts';

/** A stored policy. `spentCents` and `allocatedCents` are counters of its budget; they change only through `budget.ts`. */
export const policies = defineModel('policies', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    policyType: is.code<(typeof policyTypes)[number]>(),
    enterpriseCustomerUuid: is.uuid(),
    displayName: is.text().nullable(),
    description: is.text(),
    active: is.flag(),
    retired: is.flag(),
    retiredAt: is.instant().nullable(),
    catalogUuid: is.uuid(),
    subsidyUuid: is.uuid(),
    accessMethod: is.code<(typeof accessMethods)[number]>(),
    spendLimitCents: is.cents().nullable(),
    perLearnerEnrollmentLimit: is.integer().nullable(),
    perLearnerSpendLimitCents: is.cents().nullable(),
    lateRedemptionAllowedUntil: is.instant().nullable(),
    assignmentConfigurationUuid: is.uuid().nullable(),
    learnerCreditRequestConfigUuid: is.uuid().nullable(),
    spentCents: is.cents(),
    /** What allocated assignments hold. */
    allocatedCents: is.cents(),
    created: is.instant(),
    modified: is.instant(),
  },
});
export type PolicyRow = NonNullable<Awaited<ReturnType<typeof policies.find>>>;

export const policySubject = defineSubject<PolicyRow>({
  kind: 'policy',
  table: 'policies',
  customer: 'enterpriseCustomerUuid',
  ignored: ['spentCents', 'allocatedCents', 'created', 'modified'],
});

export interface PolicyFilter {
  readonly enterpriseCustomerUuid: string;
  readonly active?: boolean | undefined;
  readonly policyType?: string | undefined;
}

/** One page, newest first, and the number of all; the count rides along with the rows. */
export async function page(db: Connection, filter: PolicyFilter, slice: { offset: number; limit: number }) {
  const base = policies
    .query(db)
    .where('enterprise_customer_uuid', filter.enterpriseCustomerUuid)
    .modify((query) => {
      if (filter.active !== undefined) query.where('active', filter.active);
      const { policyType } = filter;
      // Only known types reach the database: MariaDB fails when an ASCII column is compared with other characters.
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
  // Behind the last page no row brings the count.
  const count = first?.total ?? (slice.offset === 0 ? 0 : await base.resultSize());
  return { rows, count };
}

export const find = async (db: Connection, uuid: string): Promise<PolicyRow | undefined> => policies.find(db, uuid);

/** The row, held until the transaction ends: its budget and its flags stand still. */
export const findForUpdate = async (trx: Transaction, uuid: string): Promise<PolicyRow | undefined> =>
  policies.query(trx).findById(uuid).forUpdate();

/** Policies through which something can be redeemed, newest first (R-RED-10). */
export const redeemable = async (db: Connection, enterpriseCustomerUuid: string): Promise<PolicyRow[]> =>
  policies
    .query(db)
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid, active: true, retired: false })
    .orderBy([
      { column: 'created', order: 'desc' },
      { column: 'uuid', order: 'desc' },
    ]);

export async function ownerOf(db: Connection, uuid: string): Promise<string | null> {
  const row: { enterprise_customer_uuid: string } | undefined = await db('policies')
    .where({ uuid })
    .first('enterprise_customer_uuid');
  return row?.enterprise_customer_uuid ?? null;
}

/** Group uuids by policy; a policy without an entry is open to every learner of the customer. */
export async function groupsOf(
  db: Connection,
  policyUuids: readonly string[],
): Promise<Map<string, (string | null)[]>> {
  const groups = new Map<string, (string | null)[]>();
  if (policyUuids.length === 0) return groups;
  const rows: { policy_uuid: string; enterprise_group_uuid: string | null }[] = await db('policy_groups')
    .whereIn('policy_uuid', policyUuids)
    .orderBy(['created', 'uuid'])
    .select('policy_uuid', 'enterprise_group_uuid');
  for (const row of rows) {
    const known = groups.get(row.policy_uuid);
    if (known) known.push(row.enterprise_group_uuid);
    else groups.set(row.policy_uuid, [row.enterprise_group_uuid]);
  }
  return groups;
}

export const hasPendingDeposit = async (db: Connection, policyUuid: string): Promise<boolean> =>
  (await db('policy_deposits').where({ policy_uuid: policyUuid, state: 'pending' }).first('uuid')) !== undefined;

/** Sum of the spend limits of active policies, by subsidy; no limit counts as nothing. */
export async function limitsBySubsidy(
  db: Connection,
  enterpriseCustomerUuid: string,
  subsidyUuids: readonly string[],
): Promise<Map<string, number>> {
  const rows: { subsidy_uuid: string; total: number | null }[] = await db('policies')
    .where({ enterprise_customer_uuid: enterpriseCustomerUuid, active: true })
    .whereIn('subsidy_uuid', subsidyUuids)
    .groupBy('subsidy_uuid')
    .select('subsidy_uuid')
    .sum({ total: 'spend_limit_cents' });
  return new Map(rows.map((row) => [row.subsidy_uuid, Number(row.total ?? 0)]));
}

/**
 * Until the transaction ends nobody else changes the set of spend limits on this subsidy. One statement makes the row or
 * writes the one that is there: an insert that gives way would leave InnoDB with a shared lock, and many of those that
 * all want more are a deadlock. The counter must change: a row that is only locked is not known to other nodes of a
 * cluster.
 */
export const holdCeiling = (trx: Transaction, subsidyUuid: string): Promise<void> =>
  addToCounters(trx, 'policy_ceilings', { key: ['subsidy_uuid'], counter: 'holds' }, [
    { subsidy_uuid: subsidyUuid, holds: 1 },
  ]);

/** What each policy says was spent through it, for the audit. */
export const totalsByPolicy = (db: Connection): Promise<{ uuid: string; subsidyUuid: string; spentCents: number }[]> =>
  db('policies').orderBy('uuid').select({ uuid: 'uuid', subsidyUuid: 'subsidy_uuid', spentCents: 'spent_cents' });

export const spentCents = async (db: Connection, uuid: string): Promise<number | undefined> =>
  (await db('policies').where({ uuid }).first('spent_cents'))?.spent_cents;
