import { type Connection, defineSubject, insertIfAbsent, recordChanges, type Transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';

/** A group whose members may redeem through a policy. */
export interface PolicyGroup {
  readonly uuid: string;
  readonly policyUuid: string;
  readonly groupUuid: string;
  readonly created: Date;
}

export const policyGroupSubject = defineSubject<PolicyGroup & { readonly enterpriseCustomerUuid: string }>({
  kind: 'policy_group',
  table: 'policy_groups',
  customer: 'enterpriseCustomerUuid',
  ignored: ['created'],
});

interface Row {
  uuid: string;
  policy_uuid: string;
  enterprise_group_uuid: string;
  created: Date;
}

const associationOf = (row: Row): PolicyGroup => ({
  uuid: row.uuid,
  policyUuid: row.policy_uuid,
  groupUuid: row.enterprise_group_uuid,
  created: row.created,
});

interface Pair {
  readonly policyUuid: string;
  readonly groupUuid: string;
}

/** Stores the association unless it is there; says whether it did. */
export async function insert(
  trx: Transaction,
  { policyUuid, groupUuid, enterpriseCustomerUuid }: Pair & { readonly enterpriseCustomerUuid: string },
  now: Date,
): Promise<boolean> {
  const uuid = newUuid();
  const row = { uuid, policy_uuid: policyUuid, enterprise_group_uuid: groupUuid, created: now, modified: now };
  if (!(await insertIfAbsent(trx, 'policy_groups', row))) return false;
  const after = { uuid, policyUuid, groupUuid, enterpriseCustomerUuid, created: now };
  recordChanges(trx, policyGroupSubject, [{ before: null, after }]);
  return true;
}

export async function find(db: Connection, { policyUuid, groupUuid }: Pair): Promise<PolicyGroup | null> {
  const row: Row | undefined = await db('policy_groups')
    .where({ policy_uuid: policyUuid, enterprise_group_uuid: groupUuid })
    .first('uuid', 'policy_uuid', 'enterprise_group_uuid', 'created');
  return row ? associationOf(row) : null;
}

/** Removes the group from the policies of one customer; those of others keep it. */
export async function remove(trx: Transaction, enterpriseCustomerUuid: string, groupUuid: string): Promise<number> {
  const rows: Row[] = await trx('policy_groups')
    .where({ enterprise_group_uuid: groupUuid })
    .whereIn('policy_uuid', trx('policies').where({ enterprise_customer_uuid: enterpriseCustomerUuid }).select('uuid'))
    .orderBy('uuid')
    .forUpdate()
    .select('uuid', 'policy_uuid', 'enterprise_group_uuid', 'created');
  if (rows.length === 0) return 0;
  const uuids = rows.map(({ uuid }) => uuid);
  await trx('policy_groups').whereIn('uuid', uuids).delete();
  recordChanges(
    trx,
    policyGroupSubject,
    rows.map((row) => ({ before: { ...associationOf(row), enterpriseCustomerUuid }, after: null })),
  );
  return rows.length;
}

/** Associations of groups with policies that can be redeemed through, oldest first. */
const openAssociations = (db: Connection) =>
  db('policy_groups')
    .join('policies', 'policies.uuid', 'policy_groups.policy_uuid')
    .where({ 'policies.active': true, 'policies.retired': false })
    .whereNotNull('policy_groups.enterprise_group_uuid');

/** Groups whose members could redeem something: those who were invited to them are reminded. */
export async function remindedGroups(db: Connection): Promise<string[]> {
  const rows: { group: string }[] = await openAssociations(db)
    .distinct({ group: 'policy_groups.enterprise_group_uuid' })
    .orderBy('group');
  return rows.map(({ group }) => group);
}

/** The policy that reminders of a group speak of: the one that the group was associated with first. */
export async function policyOfGroup(
  db: Connection,
  groupUuid: string,
): Promise<{ enterpriseCustomerUuid: string; subsidyUuid: string; catalogUuid: string } | undefined> {
  return openAssociations(db)
    .where({ 'policy_groups.enterprise_group_uuid': groupUuid })
    .orderBy(['policy_groups.created', 'policy_groups.uuid'])
    .first({
      enterpriseCustomerUuid: 'policies.enterprise_customer_uuid',
      subsidyUuid: 'policies.subsidy_uuid',
      catalogUuid: 'policies.catalog_uuid',
    });
}
