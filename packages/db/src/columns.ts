import type { Knex } from 'knex';
import { type Connection, dialectOf } from './knex.ts';

/**
 * Column types that mean the same on both dialects. A migration names what a column holds, never a dialect.
 */
export function columns(db: Connection, table: Knex.CreateTableBuilder) {
  const mysql = dialectOf(db) === 'mysql';
  return {
    /** 36 ASCII characters on MySQL, the native type on PostgreSQL. */
    uuid: (name: string) =>
      mysql ? table.specificType(name, 'char(36) character set ascii collate ascii_bin') : table.uuid(name),
    /** An instant in UTC with microseconds. */
    instant: (name: string) => (mysql ? table.specificType(name, 'datetime(6)') : table.timestamp(name, { precision: 6 })),
    /** Integer US cents; 64 bit. */
    cents: (name: string) => table.bigInteger(name),
    json: (name: string) => (mysql ? table.json(name) : table.jsonb(name)),
    /** Text of at most `length` characters, compared exactly. */
    text: (name: string, length: number) =>
      mysql
        ? table.specificType(name, `varchar(${length}) character set utf8mb4 collate utf8mb4_bin`)
        : table.string(name, length),
    /** Short ASCII codes: states, kinds, roles. */
    code: (name: string, length = 32) =>
      mysql
        ? table.specificType(name, `varchar(${length}) character set ascii collate ascii_bin`)
        : table.string(name, length),
    boolean: (name: string, value = false) =>
      mysql
        ? table.specificType(name, 'tinyint(1)').notNullable().defaultTo(value ? 1 : 0)
        : table.boolean(name).notNullable().defaultTo(value),
  };
}

/** Creates a table; `define` sees the portable column types. */
export const createTable = (
  db: Connection,
  name: string,
  define: (table: Knex.CreateTableBuilder, column: ReturnType<typeof columns>) => void,
) =>
  db.schema.createTable(name, (table) => {
    if (dialectOf(db) === 'mysql') {
      table.engine('InnoDB');
      table.charset('utf8mb4');
    }
    define(table, columns(db, table));
  });

/**
 * Uniqueness among some rows only, as a real constraint: a generated column holds the key for those rows and null
 * for the others, and null never collides.
 */
export async function uniqueAmong(
  db: Connection,
  table: string,
  options: { name: string; among: string; key: readonly string[] },
): Promise<void> {
  const mysql = dialectOf(db) === 'mysql';
  const parts = options.key.map((column) => (mysql ? `"${column}"` : `"${column}"::text`));
  const key = mysql ? `concat(${parts.join(`, ':', `)})` : parts.join(` || ':' || `);
  const type = mysql ? 'varchar(400) character set utf8mb4 collate utf8mb4_bin' : 'varchar(400)';
  await db.raw(
    `alter table "${table}" add column "${options.name}" ${type} generated always as (case when ${options.among} then ${key} end) stored`,
  );
  await db.raw(`create unique index "${table}_${options.name}" on "${table}" ("${options.name}")`);
}
