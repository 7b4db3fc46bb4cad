import { appendHistory, type Change, type Connection, type Transaction } from '@enterprise-access/db';
import { configurations, policies } from './tables.ts';

/** What is allocated under one policy; a policy with assignments is created together with its configuration. */
export interface Configuration {
  readonly uuid: string;
  readonly subsidyAccessPolicy: string | null;
  readonly enterpriseCustomerUuid: string;
  readonly active: boolean;
}

/** A stored configuration, with what it needs of the policy that it belongs to. */
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
 * Until the transaction ends nobody else allocates in this configuration: two lists with one learner follow each other.
 * The row is written, because a row that is only locked is not known to other nodes of a cluster.
 */
export async function hold(trx: Transaction, uuid: string): Promise<boolean> {
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
  by: { userId: number; at: Date },
): Promise<void> {
  const times = { created: by.at, modified: by.at };
  await trx(configurations.table).insert(configurations.encode({ ...row, ...times, active: true }));
  await remember(trx, { ...row, active: true }, { type: '+', actorUserId: by.userId, reason: null }, by.at);
}

/** Switches a configuration; history is written only when something changes. */
export async function setActive(
  trx: Transaction,
  uuid: string,
  active: boolean,
  by: { userId: number; reason: string | null; at: Date },
): Promise<void> {
  const row = await configurations.query(trx).findById(uuid).forUpdate();
  if (!row || row.active === active) return;
  await trx(configurations.table).where({ uuid }).update({ active, modified: by.at });
  const after = { uuid, enterpriseCustomerUuid: row.enterpriseCustomerUuid, active };
  await remember(trx, after, { type: '~', actorUserId: by.userId, reason: by.reason }, by.at);
}

const remember = (
  trx: Transaction,
  row: Pick<Configuration, 'uuid' | 'enterpriseCustomerUuid' | 'active'>,
  change: Change,
  at: Date,
) => appendHistory(trx, configurations, row, { ...change, at });

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
