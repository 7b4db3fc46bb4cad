import { migrations } from '../migrations/index.ts';
import type { Migration } from '../migrations/migration.ts';
import type { Database } from './knex.ts';

const source = {
  getMigrations: async () => [...migrations],
  getMigrationName: (migration: Migration) => migration.name,
  getMigration: async (migration: Migration) => ({ up: migration.up, down: forwardOnly }),
};

async function forwardOnly(): Promise<never> {
  throw new Error('Migrations go forward only: restore a backup, or write a migration that undoes this one.');
}

/** Brings the schema up to date; returns the names of the migrations that ran. Safe to call from several processes. */
export async function migrate(db: Database): Promise<string[]> {
  const [, names] = (await db.migrate.latest({ migrationSource: source, tableName: 'schema_migrations' })) as [
    number,
    string[],
  ];
  return names;
}
