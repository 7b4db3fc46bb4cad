import { type Connection, defineSubject, recordChanges, type Transaction } from '@enterprise-access/db';

/** What is allocated under one policy; a policy with assignments is created together with its configuration. */
export interface Configuration {
  readonly uuid: string;
  readonly subsidyAccessPolicy: string | null;
  readonly enterpriseCustomerUuid: string;
  readonly active: boolean;
}

export const configurationSubject = defineSubject<Omit<Configuration, 'subsidyAccessPolicy'>>({
  kind: 'assignment_configuration',
  table: 'assignment_configurations',
  customer: 'enterpriseCustomerUuid',
});

/** A stored configuration, with what it needs of the policy that it belongs to. */
export interface ConfigurationRow extends Configuration {
  readonly subsidyUuid: string | null;
  readonly catalogUuid: string | null;
  readonly created: Date;
  readonly modified: Date;
}

const columns = {
  uuid: 'c.uuid',
  subsidyAccessPolicy: 'p.uuid',
  subsidyUuid: 'p.subsidy_uuid',
  catalogUuid: 'p.catalog_uuid',
  enterpriseCustomerUuid: 'c.enterprise_customer_uuid',
  active: 'c.active',
  created: 'c.created',
  modified: 'c.modified',
} as const;

const select = (db: Connection) =>
  db('assignment_configurations as c').leftJoin('policies as p', 'p.assignment_configuration_uuid', 'c.uuid');

export async function find(db: Connection, uuid: string): Promise<ConfigurationRow | undefined> {
  return select(db).where('c.uuid', uuid).first<ConfigurationRow | undefined>(columns);
}

export async function ownerOf(db: Connection, uuid: string): Promise<string | null> {
  const row: { enterprise_customer_uuid: string } | undefined = await db('assignment_configurations')
    .where({ uuid })
    .first('enterprise_customer_uuid');
  return row?.enterprise_customer_uuid ?? null;
}

/**
 * Until the transaction ends nobody else allocates in this configuration: two lists with one learner follow each other.
 * The row is written, because a row that is only locked is not known to other nodes of a cluster.
 */
export async function hold(trx: Transaction, uuid: string): Promise<boolean> {
  return (await trx('assignment_configurations').where({ uuid }).increment('holds')) === 1;
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
  const { uuid, enterpriseCustomerUuid } = row;
  await trx('assignment_configurations').insert({
    uuid,
    enterprise_customer_uuid: enterpriseCustomerUuid,
    active: true,
    created: at,
    modified: at,
  });
  recordChanges(trx, configurationSubject, [{ before: null, after: { ...row, active: true } }]);
}

/** Switches a configuration; history is written only when something changes. */
export async function setActive(trx: Transaction, uuid: string, active: boolean, at: Date): Promise<void> {
  const row: { enterprise_customer_uuid: string; active: boolean } | undefined = await trx('assignment_configurations')
    .where({ uuid })
    .forUpdate()
    .first('enterprise_customer_uuid', 'active');
  if (!row || row.active === active) return;
  await trx('assignment_configurations').where({ uuid }).update({ active, modified: at });
  const before = { uuid, enterpriseCustomerUuid: row.enterprise_customer_uuid, active: row.active };
  recordChanges(trx, configurationSubject, [{ before, after: { ...before, active } }]);
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
