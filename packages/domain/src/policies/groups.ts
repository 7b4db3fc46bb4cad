import { type Connection, insertIfAbsent, type Row, recordChanges, type Transaction } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import { policies, policyGroups } from './tables.ts';

/** A group whose members may redeem through a policy. */
export interface PolicyGroup {
  readonly uuid: string;
  readonly policyUuid: string;
  readonly groupUuid: string;
  readonly created: Date;
}

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
  const times = { created: now, modified: now };
  const row = { uuid: newUuid(), policyUuid, enterpriseCustomerUuid, enterpriseGroupUuid: groupUuid, ...times };
  if (!(await insertIfAbsent(trx, policyGroups.table, policyGroups.encode(row)))) return false;
  recordChanges(trx, policyGroups, [{ before: null, after: row }]);
  return true;
}

export async function find(db: Connection, { policyUuid, groupUuid }: Pair): Promise<PolicyGroup | null> {
  const row: Pick<Row<typeof policyGroups>, 'uuid' | 'created'> | undefined = await db(policyGroups.table)
    .where({ policy_uuid: policyUuid, enterprise_group_uuid: groupUuid })
    .first(policyGroups.pick('uuid', 'created'));
  return row ? { ...row, policyUuid, groupUuid } : null;
}

/** Removes the group from the policies of one customer; those of others keep it. */
export async function remove(trx: Transaction, enterpriseCustomerUuid: string, groupUuid: string): Promise<number> {
  const rows = await policyGroups
    .query(trx)
    .where({ enterprise_group_uuid: groupUuid, enterprise_customer_uuid: enterpriseCustomerUuid })
    .orderBy('uuid')
    .forUpdate();
  const uuids = rows.map(({ uuid }) => uuid);
  if (uuids.length > 0) await trx(policyGroups.table).whereIn('uuid', uuids).delete();
  recordChanges(
    trx,
    policyGroups,
    rows.map((before) => ({ before, after: null })),
  );
  return rows.length;
}

/** Associations of groups with active policies, oldest first. */
const openAssociations = (db: Connection) =>
  db(policyGroups.table)
    .join('policies', 'policies.uuid', 'policy_groups.policy_uuid')
    .where({ 'policies.active': true, 'policies.retired': false })
    .whereNotNull('policy_groups.enterprise_group_uuid');

/** A group whose members could redeem something: those who were invited to it are reminded. */
export interface RemindedGroup {
  readonly groupUuid: string;
  readonly enterpriseCustomerUuid: string;
}

export async function remindedGroups(db: Connection): Promise<RemindedGroup[]> {
  const { enterpriseGroupUuid: groupUuid, enterpriseCustomerUuid } = policyGroups.aliased(policyGroups.table);
  const rows: RemindedGroup[] = await openAssociations(db)
    .distinct({ groupUuid, enterpriseCustomerUuid })
    .orderBy('groupUuid');
  // A group has one customer; should it have two, its members are reminded once.
  return [...new Map(rows.map((row) => [row.groupUuid, row])).values()];
}

const ofPolicy = policies.aliased(policies.table);

/** The policy that reminders of a group mention: the first one it was associated with. */
export async function policyOfGroup(
  db: Connection,
  groupUuid: string,
): Promise<{ enterpriseCustomerUuid: string; subsidyUuid: string; catalogUuid: string } | undefined> {
  return openAssociations(db)
    .where({ 'policy_groups.enterprise_group_uuid': groupUuid })
    .orderBy(['policy_groups.created', 'policy_groups.uuid'])
    .first({
      enterpriseCustomerUuid: ofPolicy.enterpriseCustomerUuid,
      subsidyUuid: ofPolicy.subsidyUuid,
      catalogUuid: ofPolicy.catalogUuid,
    });
}
