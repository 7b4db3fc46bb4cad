import { afterEach, describe, expect, inject, test } from 'vitest';
import { migrations } from '../migrations/index.ts';
import type { TextTypes } from './collations.ts';
import { connect, type Database } from './knex.ts';
import { type MigrateOptions, migrate } from './migrate.ts';
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
    if (at.when === 'query') setImmediate(die);
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
});
