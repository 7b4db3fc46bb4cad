import type { Connection, Transaction } from '@enterprise-access/db';
import { configurations, policies } from './tables.ts';

/** Groups the assignments of one policy; created together with the policy. */
export interface Configuration {
  readonly uuid: string;
  readonly subsidyAccessPolicy: string | null;
  readonly enterpriseCustomerUuid: string;
  readonly active: boolean;
}

/** A stored configuration, with fields of its policy. */
export interface ConfigurationRow extends Configuration {
  readonly subsidyUuid: string | null;
  readonly catalogUuid: string | null;
  readonly created: Date;
  readonly modified: Date;
}

const ofConfiguration = configurations.aliased('c');
const ofPolicy = policies.aliased('p');
const columns = {
  ...ofConfiguration,
  subsidyAccessPolicy: ofPolicy.uuid,
  subsidyUuid: ofPolicy.subsidyUuid,
  catalogUuid: ofPolicy.catalogUuid,
};

const select = (db: Connection) =>
  db('assignment_configurations as c').leftJoin('policies as p', 'p.assignment_configuration_uuid', 'c.uuid');

export async function find(db: Connection, uuid: string): Promise<ConfigurationRow | undefined> {
  return select(db).where('c.uuid', uuid).first<ConfigurationRow | undefined>(columns);
}

export async function ownerOf(db: Connection, uuid: string): Promise<string | null> {
  const row: Pick<Configuration, 'enterpriseCustomerUuid'> | undefined = await db(configurations.table)
    .where({ uuid })
    .first(configurations.pick('enterpriseCustomerUuid'));
  return row?.enterpriseCustomerUuid ?? null;
}

/** A condition for `whereIn`: uuids of active configurations. */
export const active = (db: Connection) => db(configurations.table).where({ active: true }).select('uuid');

/**
 * Serializes allocations in one configuration until the transaction ends, so that two lists with the same learner
 * cannot collide. The row is updated, because on a Galera cluster a row lock is not visible to other nodes.
 */
export async function lockForAllocation(trx: Transaction, uuid: string): Promise<boolean> {
  return (await trx(configurations.table).where({ uuid }).increment('holds')) === 1;
}

/** One page, newest first, and the number of all. */
export async function page(
  db: Connection,
  filter: { enterpriseCustomerUuid: string; active?: boolean | undefined },
  slice: { offset: number; limit: number },
): Promise<{ rows: ConfigurationRow[]; count: number }> {
  const base = select(db)
    .where('c.enterprise_customer_uuid', filter.enterpriseCustomerUuid)
    .modify((query) => {
      if (filter.active !== undefined) query.where('c.active', filter.active);
    });
  const rows: (ConfigurationRow & { total: number })[] = await base
    .clone()
    .select(columns)
    .select(db.raw('count(*) over () as total'))
    .orderBy([
      { column: 'c.created', order: 'desc' },
      { column: 'c.uuid', order: 'desc' },
    ])
    .offset(slice.offset)
    .limit(slice.limit);
  return { rows, count: Number(rows[0]?.total ?? 0) };
}

export async function insert(
  trx: Transaction,
  row: { uuid: string; enterpriseCustomerUuid: string },
  at: Date,
): Promise<void> {
  await configurations.insert(trx, { ...row, active: true, created: at, modified: at });
}

/** Switches a configuration. */
export async function setActive(trx: Transaction, uuid: string, active: boolean, at: Date): Promise<void> {
  const row = await configurations.query(trx).findById(uuid).forUpdate();
  if (!row || row.active === active) return;
  await configurations.change(trx, row, { ...row, active, modified: at });
}

/** The next active configurations by uuid, for work that goes through all of them. */
export const nextActive = (db: Connection, after: string | null, limit: number): Promise<ConfigurationRow[]> =>
  select(db)
    .where('c.active', true)
    .modify((query) => {
      if (after !== null) query.where('c.uuid', '>', after);
    })
    .orderBy('c.uuid')
    .limit(limit)
    .select(columns);
