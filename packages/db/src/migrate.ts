import { setTimeout as sleep } from 'node:timers/promises';
import { migrations as all } from '../migrations/index.ts';
import type { Migration, Step } from '../migrations/migration.ts';
import { exactTextTypes, type TextTypes } from './collations.ts';
import { createTable, type Schema } from './columns.ts';
import { type Connection, type Database, dialectOf, type Transaction } from './knex.ts';
import { type Blocker, blockersOf, giveUpLock, holder, sessionOf, tryLock } from './migration-lock.ts';

const DONE = 'schema_migrations';
/** MySQL only: the migration in progress. While its name is here, some of its statements may have been executed. */
const BEGUN = 'schema_migrations_begun';
/** Lock table of old releases that migrated with knex; locked if one of them crashed. */
const KNEX_LOCK = `${DONE}_lock`;

const LOOK_AGAIN_MS = 200;
const SAY_EVERY_MS = 10_000;

export interface MigrateOptions {
  /** Reports progress and waits, in sentences. */
  readonly say?: (sentence: string) => void;
  /** Interval of reports while waiting, in milliseconds. */
  readonly sayEveryMs?: number;
  /** For tests: an earlier schema. */
  readonly migrations?: readonly Migration[];
  readonly texts?: TextTypes;
}

/**
 * Runs pending migrations and returns their names. Safe to call from several processes, and after a crash at any
 * statement: each migration runs under a lock that ends with its connection.
 */
export async function migrate(db: Database, options: MigrateOptions = {}): Promise<string[]> {
  const names: string[] = [];
  for (const migration of options.migrations ?? all) {
    if ((await applied(db)).has(migration.name)) continue;
    if (await underLock(db, options, (trx) => apply(trx, db, migration, options))) names.push(migration.name);
  }
  return names;
}

/** Names of the completed migrations. */
async function applied(db: Connection): Promise<Set<string>> {
  if (!(await db.schema.hasTable(DONE))) return new Set();
  return new Set(await db(DONE).pluck('name'));
}

/** Runs `work` in a transaction, and so on one connection, while holding the lock. */
async function underLock<T>(db: Database, options: MigrateOptions, work: (trx: Transaction) => Promise<T>): Promise<T> {
  return db.transaction(async (trx) => {
    await waitForLock(trx, options);
    try {
      return await work(trx);
    } finally {
      await giveUpLock(trx);
    }
  });
}

async function waitForLock(trx: Transaction, { say, sayEveryMs = SAY_EVERY_MS }: MigrateOptions): Promise<void> {
  const since = Date.now();
  let nextAt = 0;
  while (!(await tryLock(trx))) {
    const waitedMs = Date.now() - since;
    if (say && waitedMs >= nextAt) {
      nextAt = waitedMs + sayEveryMs;
      say(`Waiting for another migration of this database: ${described(await holder(trx))}.`);
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

const described = (blocker: Blocker | null): string =>
  blocker === null
    ? 'its connection is not known'
    : `connection ${blocker.session} of ${blocker.user} from ${blocker.client}, for ${blocker.seconds} s; it ends with "${blocker.remedy}"`;

async function apply(trx: Transaction, db: Database, migration: Migration, options: MigrateOptions): Promise<boolean> {
  // Another process may have run it while we waited.
  if ((await applied(trx)).has(migration.name)) return false;
  const schema = { db: trx, texts: options.texts ?? (await exactTextTypes(trx)) };
  await makeTables(schema);
  const isResumed = await begin(trx, migration);
  const steps = await migration.up(schema);
  const statements = steps.flatMap((step) => statementsOf(trx, step));
  options.say?.(`${migration.name}: ${statements.length} statements${isResumed ? ', continued' : ''}.`);
  const session = await sessionOf(trx);
  // Only the first statements can be done already; after the first one that changes the schema, all others must run.
  let mayBeDone = isResumed;
  for (const [index, statement] of statements.entries()) {
    const stopWatching = watch(db, session, options, `${migration.name}, statement ${index + 1}`);
    try {
      await statement.run();
      if (statement.changesSchema && !statement.isRepeatable) mayBeDone = false;
    } catch (error) {
      if (!mayBeDone || !isDoneAlready(error, statement)) throw error;
    } finally {
      stopWatching();
    }
  }
  await finish(trx, migration);
  return true;
}

/** Creates the bookkeeping tables; the first has the structure that knex created in earlier releases. */
async function makeTables(schema: Schema & { readonly db: Transaction }): Promise<void> {
  const { db } = schema;
  if (!(await db.schema.hasTable(DONE))) {
    await createTable(schema, DONE, (table, column) => {
      table.increments();
      column.text('name', 255);
      table.integer('batch');
      table.timestamp('migration_time');
    });
  }
  if (dialectOf(db) === 'mysql' && !(await db.schema.hasTable(BEGUN)))
    await createTable(schema, BEGUN, (_table, column) => column.text('name', 255).primary());
}

/** Returns whether the migration may be partially done. Always false on PostgreSQL, whose DDL is transactional. */
async function begin(trx: Transaction, { name }: Migration): Promise<boolean> {
  if (dialectOf(trx) === 'postgres') return false;
  if (await trx(BEGUN).where({ name }).first('name')) return true;
  const isLeftByKnex =
    (await trx.schema.hasTable(KNEX_LOCK)) && (await trx(KNEX_LOCK).where({ is_locked: 1 }).first()) !== undefined;
  await trx(BEGUN).insert({ name });
  return isLeftByKnex;
}

async function finish(trx: Transaction, { name }: Migration): Promise<void> {
  await trx(DONE).insert({ name, batch: 1, migration_time: new Date() });
  if (dialectOf(trx) === 'mysql') await trx(BEGUN).where({ name }).delete();
  await trx.schema.dropTableIfExists(KNEX_LOCK);
}

interface Statement {
  readonly changesSchema: boolean;
  /** Succeeds a second time as well, so its success does not say that it was not done before. */
  readonly isRepeatable: boolean;
  readonly isInsert: boolean;
  run(): Promise<unknown>;
}

interface Sql {
  readonly sql: string;
}

/** The SQL statements of a step: a schema builder of knex returns a list, other builders a single one. */
function statementsOf(trx: Transaction, step: Step): Statement[] {
  const compiled = (step as unknown as { toSQL(): Sql | Sql[] }).toSQL();
  if (Array.isArray(compiled)) return compiled.map(({ sql }) => statement(sql, () => trx.raw(sql)));
  return [statement(compiled.sql, () => step.transacting(trx))];
}

const statement = (sql: string, run: () => PromiseLike<unknown>): Statement => ({
  changesSchema: /^\s*(create|alter|drop|rename|truncate)\s/i.test(sql),
  isRepeatable: /^\s*alter\s+table\s+\S+\s+modify\s/i.test(sql),
  isInsert: /^\s*insert\s/i.test(sql),
  run: async () => run(),
});

/** Errors of MySQL and MariaDB for a table, column, key or foreign key that already exists or is already dropped. */
const DONE_ALREADY = new Set([
  'ER_TABLE_EXISTS_ERROR',
  'ER_DUP_FIELDNAME',
  'ER_DUP_KEYNAME',
  'ER_MULTIPLE_PRI_KEY',
  'ER_FK_DUP_NAME',
  'ER_DUP_CONSTRAINT_NAME',
  'ER_CANT_DROP_FIELD_OR_KEY',
  'ER_BAD_TABLE_ERROR',
]);

function isDoneAlready(error: unknown, { isInsert, changesSchema }: Statement): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  const code = String(error.code);
  if (isInsert) return code === 'ER_DUP_ENTRY';
  // MariaDB has no specific code for an existing foreign key.
  const isForeignKeyThere = code === 'ER_CANT_CREATE_TABLE' && /errno: 121\b/.test(error.message);
  return changesSchema && (DONE_ALREADY.has(code) || isForeignKeyThere);
}

/** Reports a slow statement and the connections that it waits for. Returns a function that stops the reports. */
function watch(db: Database, session: number, options: MigrateOptions, what: string): () => void {
  const { say, sayEveryMs = SAY_EVERY_MS } = options;
  if (!say) return () => undefined;
  const since = Date.now();
  let isOver = false;
  const timer = setInterval(async () => {
    const seconds = Math.round((Date.now() - since) / 1_000);
    const blockers = await blockersOf(db, session).catch(() => []);
    if (isOver) return;
    say(`${what}: running for ${seconds} s${blockers.map((one) => `, waits for ${described(one)}`).join('')}.`);
  }, sayEveryMs);
  return () => {
    isOver = true;
    clearInterval(timer);
  };
}
