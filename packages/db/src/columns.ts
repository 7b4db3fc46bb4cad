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
    instant: (name: string) =>
      mysql ? table.specificType(name, 'datetime(6)') : table.timestamp(name, { precision: 6 }),
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
        ? table
            .specificType(name, 'tinyint(1)')
            .notNullable()
            .defaultTo(value ? 1 : 0)
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
 * Uniqueness among some rows only, as a real constraint on both dialects: a generated flag is 1 for those rows and null
 * for the others, and a key that holds a null never collides.
 */
export async function uniqueAmong(
  db: Connection,
  table: string,
  options: { name: string; among: string; key: readonly string[] },
): Promise<void> {
  await db.raw(
    `alter table "${table}" add column "${options.name}" smallint generated always as (case when ${options.among} then 1 end) stored`,
  );
  const key = [...options.key, options.name].map((column) => `"${column}"`).join(', ');
  await db.raw(`create unique index "${table}_${options.name}" on "${table}" (${key})`);
}
