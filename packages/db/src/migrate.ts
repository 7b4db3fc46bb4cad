import { setTimeout as sleep } from 'node:timers/promises';
import { migrations as all } from '../migrations/index.ts';
import type { Migration, Step } from '../migrations/migration.ts';
import { exactTextTypes, type TextTypes } from './collations.ts';
import { createTable, type Schema } from './columns.ts';
import { type Connection, type Database, dialectOf, type Transaction } from './knex.ts';
import { type Blocker, blockersOf, giveUpLock, holder, sessionOf, tryLock } from './migration-lock.ts';

const DONE = 'schema_migrations';
/** MySQL only: the migration that was begun. As long as its name is here, some of its statements may be done. */
const BEGUN = 'schema_migrations_begun';
/** Left by releases that migrated with knex; set when one of them died on the way. */
const KNEX_LOCK = `${DONE}_lock`;

const LOOK_AGAIN_MS = 200;
const SAY_EVERY_MS = 10_000;

export interface MigrateOptions {
  /** Told in whole sentences what the migration does and what it waits for. */
  readonly say?: (sentence: string) => void;
  /** Waiting is reported this often, in milliseconds. */
  readonly sayEveryMs?: number;
  /** For tests: an earlier schema. */
  readonly migrations?: readonly Migration[];
  readonly texts?: TextTypes;
}

/**
 * Brings the schema up to date; returns the names of the migrations that ran. Safe to call from several processes, and
 * after one that died at any statement: each migration is run under a lock that ends with its connection.
 */
export async function migrate(db: Database, options: MigrateOptions = {}): Promise<string[]> {
  const names: string[] = [];
  for (const migration of options.migrations ?? all) {
    if ((await applied(db)).has(migration.name)) continue;
    if (await underLock(db, options, (trx) => apply(trx, db, migration, options))) names.push(migration.name);
  }
  return names;
}

/** Names of the migrations that are done. */
async function applied(db: Connection): Promise<Set<string>> {
  if (!(await db.schema.hasTable(DONE))) return new Set();
  return new Set(await db(DONE).pluck('name'));
}

/** Runs `work` in a transaction, and so on one connection, that holds the lock. */
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
  // Statements that are done already are the first ones; after one that changes the schema now, all have to be done.
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

/** The tables that say what is done; the first is as knex made it in earlier releases. */
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

/** Says whether statements of the migration may be done. PostgreSQL does a migration whole or not at all. */
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
  readonly isInsert: boolean;
  /** Succeeds again when it is done already, so that its success says nothing of the statements after it. */
  readonly isRepeatable: boolean;
  run(): Promise<unknown>;
}

interface Sql {
  readonly sql: string;
}

/** knex gives the statements of a schema builder as a list, those of other builders one by one. */
function statementsOf(trx: Transaction, step: Step): Statement[] {
  const compiled = (step as unknown as { toSQL(): Sql | Sql[] }).toSQL();
  if (Array.isArray(compiled)) return compiled.map(({ sql }) => statement(sql, () => trx.raw(sql)));
  return [statement(compiled.sql, () => step.transacting(trx))];
}

const statement = (sql: string, run: () => PromiseLike<unknown>): Statement => ({
  changesSchema: /^\s*(create|alter|drop|rename|truncate)\s/i.test(sql),
  isInsert: /^\s*insert\s/i.test(sql),
  isRepeatable: /^\s*alter table \S+ modify\s/i.test(sql),
  run: async () => run(),
});

/** What MySQL and MariaDB say when a table, column, key or foreign key is there already, or gone already. */
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
  // MariaDB has no code of its own for a foreign key that is there.
  const isForeignKeyThere = code === 'ER_CANT_CREATE_TABLE' && /errno: 121\b/.test(error.message);
  return changesSchema && (DONE_ALREADY.has(code) || isForeignKeyThere);
}

/** Reports a statement that takes long, and which connections it waits for. Answers with what ends the watch. */
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
