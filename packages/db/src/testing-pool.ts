import { randomBytes } from 'node:crypto';
import { connect, type Database } from './knex.ts';
import { migrate } from './migrate.ts';

// MySQL cannot copy a database, and migrating a new one takes seconds. So test databases are pooled: a test file
// empties its database when it is done, and the next one leases it.

const POOL = 'test_pool';

/** A migrated database whose tables are as the migrations left them. */
interface Pooled {
  readonly name: string;
  /** Fingerprint of the schema after the migrations, to detect changes by a test. */
  readonly fingerprint: string;
}

export interface MysqlServer {
  readonly adminUrl: string;
  readonly urlOf: (name: string) => string;
}

export async function createPool(admin: Database): Promise<void> {
  await admin.raw(`create database if not exists ${POOL}`);
  await admin.raw(`create table if not exists ${POOL}.free_databases
    (name varchar(64) primary key, fingerprint varchar(10000) not null)`);
}

/** Leases a returned database; null if there is none. */
export const lease = (admin: Database): Promise<Pooled | null> =>
  admin.transaction(async (trx) => {
    const free = trx(`${POOL}.free_databases`);
    const found: Pooled | undefined = await free.clone().forUpdate().skipLocked().first();
    if (!found) return null;
    await free.clone().where({ name: found.name }).delete();
    return found;
  });

export async function createPooled({ adminUrl, urlOf }: MysqlServer): Promise<Pooled> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  const admin = connect({ url: adminUrl, poolSize: 1 });
  await admin.raw('create database ??', [name]);
  await admin.destroy();
  const db = connect({ url: urlOf(name), poolSize: 1 });
  await migrate(db);
  const fingerprint = await fingerprintOf(db, name);
  await db.destroy();
  return { name, fingerprint };
}

/** Empties the database and returns it to the pool; drops it if its schema has changed. */
export async function giveBack({ adminUrl, urlOf }: MysqlServer, { name, fingerprint }: Pooled): Promise<void> {
  const admin = connect({ url: adminUrl, poolSize: 1 });
  await disconnectOthers(admin, name);
  const db = connect({ url: urlOf(name), poolSize: 1 });
  await emptyTables(db, fingerprint);
  const isAsBefore = (await fingerprintOf(db, name)) === fingerprint;
  await db.destroy();
  if (isAsBefore) await admin(`${POOL}.free_databases`).insert({ name, fingerprint });
  else await admin.raw('drop database ??', [name]);
  await admin.destroy();
}

/** Processes that a test killed or forgot must not write into the database of the next one. */
async function disconnectOthers(admin: Database, name: string): Promise<void> {
  const connections = () => admin('information_schema.processlist').where({ db: name }).select({ id: 'id' });
  for (let left = await connections(); left.length > 0; left = await connections()) {
    // Ignore connections that have ended meanwhile.
    for (const { id } of left) await admin.raw(`kill ${Number(id)}`).catch(() => undefined);
  }
}

interface Counted {
  readonly table: string;
  readonly rows: number;
}

const namesOf = (rows: readonly object[]): string[] => rows.map((row) => String(Object.values(row)[0]));

async function tablesOf(db: Database): Promise<string[]> {
  const [rows] = await db.raw("show full tables where table_type = 'BASE TABLE'");
  return namesOf(rows);
}

async function countRows(db: Database, tables: readonly string[]): Promise<Counted[]> {
  const counts = tables.map((table) =>
    db(table)
      .select(db.raw('? as ??', [table, 'table']))
      .count({ rows: '*' }),
  );
  const [first, ...others] = counts;
  return first ? ((await first.unionAll(others)) as unknown as Counted[]) : [];
}

/** Tables and the rows that migrations put into them, with the shape of the schema. */
async function fingerprintOf(db: Database, name: string): Promise<string> {
  const tables = (await tablesOf(db)).toSorted();
  const counted = (await countRows(db, tables)).filter(({ rows }) => Number(rows) > 0);
  const shape = async (view: string) =>
    Number((await db(`information_schema.${view}`).where(schemaColumn(view), name).count({ n: '*' }).first())?.n);
  return JSON.stringify({
    tables,
    seeded: Object.fromEntries(counted.map(({ table, rows }) => [table, Number(rows)]).toSorted()),
    columns: await shape('columns'),
    indexes: await shape('statistics'),
    triggers: await shape('triggers'),
  });
}

const schemaColumn = (view: string): string => (view === 'triggers' ? 'trigger_schema' : 'table_schema');

/** Empties every table but those that migrations filled. */
async function emptyTables(db: Database, fingerprint: string): Promise<void> {
  const { tables, seeded } = JSON.parse(fingerprint) as { tables: string[]; seeded: Record<string, number> };
  await db.raw('set foreign_key_checks = 0');
  const [numbered] = await db.raw(
    "select table_name as t from information_schema.columns where table_schema = database() and extra like '%auto_increment%'",
  );
  const withNumbers = new Set(namesOf(numbered));
  const own = tables.filter((table) => !Object.hasOwn(seeded, table));
  const filled = (await countRows(db, own)).filter(({ rows, table }) => Number(rows) > 0 || withNumbers.has(table));
  for (const { table } of filled) await db.raw('truncate table ??', [table]);
}
