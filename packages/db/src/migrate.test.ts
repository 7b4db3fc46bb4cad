import { setImmediate } from 'node:timers/promises';
import { v5 } from 'uuid';
import { afterEach, describe, expect, inject, test, vi } from 'vitest';
import { migrations } from '../migrations/index.ts';
import type { TextTypes } from './collations.ts';
import { connect, type Database, dialectOf } from './knex.ts';
import { type MigrateOptions, migrate } from './migrate.ts';
import { sessionOf, tryLock } from './migration-lock.ts';
import { createTestDatabase, type TestDatabase } from './testing.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));

/** Collations of earlier releases, under which MySQL ignores trailing spaces. */
const PADDED: TextTypes = {
  text: { charset: 'utf8mb4', collation: 'utf8mb4_bin' },
  ascii: { charset: 'ascii', collation: 'ascii_bin' },
};

interface Socketed {
  readonly stream?: { destroy(): void };
  readonly connection?: { readonly stream: { destroy(): void } };
}

/** A pool and what ends all of its connections as a crash of the process does. */
function mortal(url: string): { db: Database; die: () => void } {
  const db = connect({ url, poolSize: 2 });
  const raw: Socketed[] = [];
  const acquire = db.client.acquireRawConnection.bind(db.client);
  let isDead = false;
  // knex reports each connection that a dead process asks for.
  for (const level of ['debug', 'warn', 'error']) db.client.logger[level] = () => undefined;
  db.client.acquireRawConnection = async () => {
    if (isDead) throw new Error('The process is dead.');
    const connection: Socketed = await acquire();
    raw.push(connection);
    return connection;
  };
  const die = () => {
    isDead = true;
    for (const { stream, connection } of raw) (stream ?? connection?.stream)?.destroy();
  };
  return { db, die };
}

/** Migrates in a process that dies at its n-th statement: while it runs, or when it has been answered. */
async function migrateAndDie(
  url: string,
  at: { statement: number; when: 'query' | 'query-response' },
  options: MigrateOptions = {},
): Promise<'finished' | 'died'> {
  const { db, die } = mortal(url);
  let count = 0;
  let isDead = false;
  db.on(at.when, () => {
    count += 1;
    if (count !== at.statement) return;
    isDead = true;
    // The statement is on its way by then.
    if (at.when === 'query') void setImmediate().then(die);
    else die();
  });
  try {
    await migrate(db, options);
    return 'finished';
  } catch (error) {
    if (!isDead) throw error;
    return 'died';
  } finally {
    await db.destroy();
  }
}

/** Everything that the server says of the schema, and the rows of the tables that are filled by migrations. */
async function described({ db, url }: TestDatabase): Promise<unknown> {
  if (url.startsWith('mysql')) {
    const [tables] = await db.raw(
      "select table_name as name from information_schema.tables where table_schema = database() and table_type = 'BASE TABLE' order by 1",
    );
    const definitions: string[] = [];
    for (const { name } of tables) {
      const [[row]] = await db.raw('show create table ??', [name]);
      // Keys may have been made in another order.
      const lines = String(row['Create Table'])
        .replace(/ AUTO_INCREMENT=\d+/, '')
        .split(/,?\n/);
      definitions.push(lines.sort().join('\n'));
    }
    return { definitions, rows: await seeded(db) };
  }
  const columns = await db.raw(
    "select table_name, column_name, data_type, character_maximum_length, is_nullable, column_default, generation_expression from information_schema.columns where table_schema = 'public' order by 1, 2",
  );
  const indexes = await db.raw("select indexdef from pg_indexes where schemaname = 'public' order by 1");
  const constraints = await db.raw(
    "select conrelid::regclass::text as t, conname, pg_get_constraintdef(oid) as d from pg_constraint where connamespace = 'public'::regnamespace order by 1, 2",
  );
  return { definitions: [columns.rows, indexes.rows, constraints.rows], rows: await seeded(db) };
}

const seeded = async (db: Database) => [
  await db('outbox_lanes').orderBy(['kind', 'shard']),
  await db('sales_contract_reference_providers').orderBy('slug'),
  await db('schema_migrations').orderBy('name').pluck('name'),
];

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly length: number | null;
}

/** Columns that can be written, of the tables that are ours. */
async function columnsByTable(db: Database): Promise<Map<string, Column[]>> {
  const isMysql = dialectOf(db) === 'mysql';
  const columns: Column[] = await db('information_schema.columns')
    .where({ table_schema: isMysql ? db.raw('database()') : 'public' })
    .whereNot('table_name', 'like', 'schema_migrations%')
    .where((computed) => computed.whereNull('generation_expression').orWhere({ generation_expression: '' }))
    .orderBy(['table_name', 'ordinal_position'])
    .select('table_name as table', 'column_name as name', 'data_type as type', 'character_maximum_length as length');
  return Map.groupBy(columns, ({ table }) => table);
}

/** A value of row `n`. References hold, because all columns of a type have the same. */
function sampleOf({ table, name, type, length }: Column, n: number): unknown {
  // Histories come into one table.
  if (name === 'history_uuid') return v5(`${table} ${n}`, v5.URL);
  if (type === 'uuid' || (type === 'char' && length === 36)) return `0000000${n}-0000-4000-8000-000000000000`;
  // With a space at the end, which must stay.
  if (/char|text$/.test(type) && type !== 'longtext') return `r${n} `.slice(0, length ?? undefined);
  if (/json|longtext/.test(type)) return JSON.stringify({ n });
  if (/date|timestamp/.test(type)) return new Date(`2026-01-0${n}T10:00:00.123Z`);
  return /bool|tinyint/.test(type) ? false : n;
}

/** Two rows in each table; a table whose references are not there yet comes later. */
async function fill(db: Database, tables: Map<string, Column[]>): Promise<void> {
  let waiting = [...tables.keys()];
  while (waiting.length > 0) {
    const later: string[] = [];
    for (const table of waiting) {
      const columns = tables.get(table) ?? [];
      const insert = (numbers: readonly number[]) =>
        db(table).insert(
          numbers.map((n) => Object.fromEntries(columns.map((column) => [column.name, sampleOf(column, n)]))),
        );
      await insert([1, 2]).catch(async (error: { code?: string }) => {
        // The migration itself has rows with these numbers.
        if (['23505', 'ER_DUP_ENTRY'].includes(error.code ?? '')) await insert([8, 9]);
        else if (['23503', 'ER_NO_REFERENCED_ROW_2'].includes(error.code ?? '')) later.push(table);
        else throw error;
      });
    }
    expect(later.length).toBeLessThan(waiting.length);
    waiting = later;
  }
}

async function rowsIn(db: Database, tables: Map<string, Column[]>): Promise<Record<string, string[]>> {
  const rows: Record<string, string[]> = {};
  for (const [table, columns] of tables) {
    const found: object[] = await db(table).select(columns.map(({ name }) => name));
    rows[table] = found.map((row) => JSON.stringify(row)).sort();
  }
  return rows;
}

describe.each(dialects)('migrations on %s', { timeout: 240_000 }, (dialect) => {
  const made: TestDatabase[] = [];
  afterEach(async () => {
    for (const database of made.splice(0)) await database.drop();
  });
  const emptyDatabase = async () => {
    const database = await createTestDatabase(inject('servers'), dialect, 3, { migrated: false });
    made.push(database);
    return database;
  };
  const doneIn = async ({ db }: TestDatabase): Promise<number> =>
    (await db.schema.hasTable('schema_migrations')) ? (await db('schema_migrations').pluck('name')).length : 0;

  /** Dies now while a statement runs, now when it has been answered. */
  const wayAt = (statement: number) => (statement % 2 === 0 ? 'query' : 'query-response');

  /** Dies at each statement, always in the database that the deaths before have left. */
  async function dieEverywhere(database: TestDatabase): Promise<number> {
    let deaths = 0;
    let done = await doneIn(database);
    for (let statement = 1; ; statement += 1) {
      const ended = await migrateAndDie(database.url, { statement, when: wayAt(statement) });
      if (ended === 'finished') return deaths;
      deaths += 1;
      const now = await doneIn(database);
      if (now > done) statement = 0;
      done = now;
    }
  }

  test('killed at every statement, the next run continues, and the schema is as if nothing had happened', async () => {
    const [whole, broken] = [await emptyDatabase(), await emptyDatabase()];
    await migrate(whole.db);
    expect(await dieEverywhere(broken)).toBeGreaterThan(100);
    expect(await described(broken)).toEqual(await described(whole));
    expect(await migrate(broken.db)).toEqual([]);
  });

  test('the same for what comes after earlier releases, whose texts had other collations', async () => {
    const [whole, broken] = [await emptyDatabase(), await emptyDatabase()];
    const older = migrations.slice(0, 6);
    for (const { db } of [whole, broken]) await migrate(db, { migrations: older, texts: PADDED });
    await migrate(whole.db);
    expect(await dieEverywhere(broken)).toBeGreaterThan(0);
    expect(await described(broken)).toEqual(await described(whole));
  });

  test.each(migrations.slice(0, -1).map(({ name }, index) => [name, index + 1] as const))(
    'rows of a database that ends with %s are there afterwards, unchanged',
    async (_name, count) => {
      const { db } = await emptyDatabase();
      await migrate(db, { migrations: migrations.slice(0, count), texts: PADDED });
      const tables = await columnsByTable(db);
      await fill(db, tables);
      const before = await rowsIn(db, tables);
      expect(Object.values(before).filter((rows) => rows.length < 2)).toEqual([]);
      const isHistory = (table: string) => table.endsWith('_history');
      const histories = [...tables.keys()].filter(isHistory);
      const kept = new Map([...tables].filter(([table]) => !isHistory(table)));

      await migrate(db);
      expect(await rowsIn(db, kept)).toEqual(
        Object.fromEntries(Object.entries(before).filter(([name]) => kept.has(name))),
      );
      if (tables.has('audit_changes')) return;
      // Histories are in the trail now, with their customers.
      const taken = await db('audit_entries as e').join('audit_changes as c', 'c.entry_uuid', 'e.uuid');
      expect(taken).toHaveLength(2 * histories.length);
      expect(taken.filter((row) => row.enterprise_customer_uuid === null)).toEqual([]);
    },
  );

  test('texts that differ by a space at the end are two, in a new database and in one of an earlier release', async () => {
    const [fresh, old] = [await emptyDatabase(), await emptyDatabase()];
    await migrate(old.db, { migrations: migrations.slice(0, 6), texts: PADDED });
    for (const { db } of [fresh, old]) {
      await migrate(db);
      const times = { created: new Date(), modified: new Date() };
      await db('users').insert(['boss', 'boss '].map((username) => ({ username, email: username, ...times })));
      expect(await db('users').where({ username: 'boss ' }).pluck('username')).toEqual(['boss ']);
      expect(await db('users').where({ email_key: 'boss' }).pluck('username')).toEqual(['boss']);
      expect(await db('outbox_lanes').where({ kind: 'job ' })).toEqual([]);
    }
    if (dialect === 'mysql') {
      const padded =
        "collation_name is not null and collation_name not like '%nopad%' and collation_name not like '%0900%'";
      // JSON is text on MariaDB, and never compared.
      const [columns] = await fresh.db.raw(
        `select table_schema, table_name, column_name from information_schema.columns
          where table_schema in (?, ?) and data_type <> 'longtext' and ${padded}`,
        [fresh, old].map(({ url }) => new URL(url).pathname.slice(1)),
      );
      expect(columns).toEqual([]);
    }
    expect(await described(old)).toEqual(await described(fresh));
  });

  test('only ASCII letters of addresses are folded, and the same on every server', async () => {
    const { db } = await emptyDatabase();
    await migrate(db, { migrations: migrations.slice(0, 6), texts: PADDED });
    const times = { created: new Date(), modified: new Date() };
    const written = ['BOSS.AZ@X.Example', 'bo\u212A@x.example', '\u0130\u00C4\u03A3Q@x.example', 'p\u00C9 '];
    const [before, after] = [written.slice(0, 2), written.slice(2)];
    const insert = (all: string[]) => db('users').insert(all.map((email) => ({ username: email, email, ...times })));
    await insert(before);
    await migrate(db);
    await insert(after);
    const keys = ['boss.az@x.example', 'bo\u212A@x.example', '\u0130\u00C4\u03A3q@x.example', 'p\u00C9 '];
    expect(await db('users').orderBy('id').pluck('email_key')).toEqual(keys);
    expect(await db('users').where({ email_key: 'bok@x.example' })).toEqual([]);
  });

  test('a waiting migration reports its blocker, and continues when that has ended', async () => {
    const database = await emptyDatabase();
    const { db, die } = mortal(database.url);
    const holding = await db.transaction();
    expect(await tryLock(holding)).toBe(true);
    const other = await sessionOf(holding);
    const said: string[] = [];
    const waiting = migrate(database.db, { say: (sentence) => said.push(sentence), sayEveryMs: 1 });
    await vi.waitFor(() => expect(said.length).toBeGreaterThan(1), 10_000);
    expect(said[0]).toMatch(new RegExp(`^Waiting for another migration of this database: connection ${other} of \\S+`));
    expect(said[0]).toContain(dialect === 'mysql' ? `"kill ${other}"` : `"select pg_terminate_backend(${other})"`);
    expect(await doneIn(database)).toBe(0);
    die();
    await holding.rollback().catch(() => undefined);
    expect(await waiting).toHaveLength(migrations.length);
    await db.destroy();
  });

  test('a statement that waits for a table says for whose transaction', async () => {
    const database = await emptyDatabase();
    await migrate(database.db, { migrations: migrations.slice(0, 3) });
    const reader = connect({ url: database.url, poolSize: 1 });
    const open = await reader.transaction();
    await open('ledger_reversals').first();
    const said: string[] = [];
    const waiting = migrate(database.db, { say: (sentence) => said.push(sentence), sayEveryMs: 20 });
    const waits = () => said.find((sentence) => sentence.includes('waits for'));
    await vi.waitFor(() => expect(waits()).toBeDefined(), 10_000);
    expect(waits()).toMatch(/^0004-unenrolment, statement 1: running for \d+ s, waits for connection \d+/);
    await open.rollback();
    expect(await waiting).toHaveLength(migrations.length - 3);
    await reader.destroy();
  });

  test('processes that start together migrate once', async () => {
    const database = await emptyDatabase();
    const pools = [1, 2, 3].map(() => connect({ url: database.url, poolSize: 1 }));
    const ran = await Promise.all(pools.map((db) => migrate(db)));
    expect(ran.flat().sort()).toEqual(migrations.map(({ name }) => name));
    for (const db of pools) await db.destroy();
  });
});

describe.runIf(dialects.includes('mysql'))('migrations on mysql that other programs left', () => {
  const emptyDatabase = () => createTestDatabase(inject('servers'), 'mysql', 3, { migrated: false });

  test('half a schema and a lock of a release that migrated with knex are continued', async () => {
    const [whole, broken] = [await emptyDatabase(), await emptyDatabase()];
    await migrate(whole.db);
    expect(await migrateAndDie(broken.url, { statement: 30, when: 'query-response' })).toBe('died');
    await broken.db('schema_migrations_begun').delete();
    await broken.db.raw('create table schema_migrations_lock (lock_index int primary key, is_locked int)');
    await broken.db.raw('insert into schema_migrations_lock values (1, 1)');
    await migrate(broken.db);
    expect(await described(broken)).toEqual(await described(whole));
    for (const database of [whole, broken]) await database.drop();
  });

  test('a foreign table is not taken for ours', async () => {
    const { db, drop } = await emptyDatabase();
    await db.raw('create table users (id int primary key)');
    await expect(migrate(db)).rejects.toMatchObject({ code: 'ER_TABLE_EXISTS_ERROR' });
    await drop();
  });
});
