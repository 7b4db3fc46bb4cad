import { type Connection, insertIfAbsent, type Row } from '@enterprise-access/db';
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
export const insert = (
  db: Connection,
  { policyUuid, groupUuid, enterpriseCustomerUuid }: Pair & { readonly enterpriseCustomerUuid: string },
  now: Date,
): Promise<boolean> =>
  insertIfAbsent(
    db,
    policyGroups.table,
    policyGroups.encode({
      uuid: newUuid(),
      policyUuid,
      enterpriseCustomerUuid,
      enterpriseGroupUuid: groupUuid,
      created: now,
      modified: now,
    }),
  );

export async function find(db: Connection, { policyUuid, groupUuid }: Pair): Promise<PolicyGroup | null> {
  const row: Pick<Row<typeof policyGroups>, 'uuid' | 'created'> | undefined = await db(policyGroups.table)
    .where({ policy_uuid: policyUuid, enterprise_group_uuid: groupUuid })
    .first(policyGroups.pick('uuid', 'created'));
  return row ? { ...row, policyUuid, groupUuid } : null;
}

/** Removes the group from the policies of one customer; those of others keep it. */
export const remove = async (db: Connection, enterpriseCustomerUuid: string, groupUuid: string): Promise<number> =>
  db(policyGroups.table)
    .where({ enterprise_group_uuid: groupUuid, enterprise_customer_uuid: enterpriseCustomerUuid })
    .delete();

/** Associations of groups with policies that can be redeemed through, oldest first. */
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

/** The policy that reminders of a group speak of: the one that the group was associated with first. */
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
