import { type Connection, insertIfAbsent } from '@enterprise-access/db';
import { newUuid } from '../kernel/ids.ts';
import type { Association } from './contract.ts';

interface Row {
  uuid: string;
  policy_uuid: string;
  enterprise_group_uuid: string;
  created: Date;
}

interface Pair {
  readonly policyUuid: string;
  readonly groupUuid: string;
}

/** Stores the association unless it is there; says whether it did. */
export const insert = (db: Connection, { policyUuid, groupUuid }: Pair, now: Date): Promise<boolean> =>
  insertIfAbsent(db, 'policy_groups', {
    uuid: newUuid(),
    policy_uuid: policyUuid,
    enterprise_group_uuid: groupUuid,
    created: now,
    modified: now,
  });

export async function find(db: Connection, { policyUuid, groupUuid }: Pair): Promise<Association | null> {
  const row: Row | undefined = await db('policy_groups')
    .where({ policy_uuid: policyUuid, enterprise_group_uuid: groupUuid })
    .first('uuid', 'policy_uuid', 'enterprise_group_uuid', 'created');
  return row
    ? { uuid: row.uuid, policyUuid: row.policy_uuid, groupUuid: row.enterprise_group_uuid, created: row.created }
    : null;
}

/** Removes the group from the policies of one customer; those of others keep it. */
export const remove = async (db: Connection, enterpriseCustomerUuid: string, groupUuid: string): Promise<number> =>
  db('policy_groups')
    .where({ enterprise_group_uuid: groupUuid })
    .whereIn('policy_uuid', db('policies').where({ enterprise_customer_uuid: enterpriseCustomerUuid }).select('uuid'))
    .delete();
