import type { Knex } from 'knex';
import type { TextTypes } from './collations.ts';
import { type Connection, dialectOf } from './knex.ts';

/** Context of a migration: the connection, and the text types of the server. */
export interface Schema {
  readonly db: Connection;
  readonly texts: TextTypes;
}

const typed = (type: string, { charset, collation }: TextTypes['text']): string =>
  `${type} character set ${charset} collate ${collation}`;

/** SQL type of text that is compared exactly. */
export const textType = ({ db, texts }: Schema, length: number): string =>
  dialectOf(db) === 'mysql' ? typed(`varchar(${length})`, texts.text) : `varchar(${length})`;

/** SQL type of a UUID: 36 ASCII characters on MySQL, the native type on PostgreSQL. */
export const uuidType = ({ db, texts }: Schema): string =>
  dialectOf(db) === 'mysql' ? typed('char(36)', texts.ascii) : 'uuid';

/** SQL type of an instant in UTC with microseconds. */
export const instantType = ({ db }: Schema): string => (dialectOf(db) === 'mysql' ? 'datetime(6)' : 'timestamptz(6)');

/**
 * Column types with the same meaning on both dialects. Migrations declare columns by meaning and do not depend on the
 * dialect.
 */
export function columns(schema: Schema, table: Knex.CreateTableBuilder) {
  const mysql = dialectOf(schema.db) === 'mysql';
  const { ascii } = schema.texts;
  return {
    uuid: (name: string) => (mysql ? table.specificType(name, uuidType(schema)) : table.uuid(name)),
    /** An instant in UTC with microseconds. */
    instant: (name: string) =>
      mysql ? table.specificType(name, 'datetime(6)') : table.timestamp(name, { precision: 6 }),
    /** Integer US cents; 64 bit. */
    cents: (name: string) => table.bigInteger(name),
    json: (name: string) => (mysql ? table.json(name) : table.jsonb(name)),
    /** Text of at most `length` characters, compared exactly. */
    text: (name: string, length: number) =>
      mysql ? table.specificType(name, textType(schema, length)) : table.string(name, length),
    /** Short ASCII codes: states, kinds, roles. */
    code: (name: string, length = 32) =>
      mysql ? table.specificType(name, typed(`varchar(${length})`, ascii)) : table.string(name, length),
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
  schema: Schema,
  name: string,
  define: (table: Knex.CreateTableBuilder, column: ReturnType<typeof columns>) => void,
): Knex.SchemaBuilder =>
  schema.db.schema.createTable(name, (table) => {
    if (dialectOf(schema.db) === 'mysql') {
      table.engine('InnoDB');
      table.charset(schema.texts.text.charset);
      table.collate(schema.texts.text.collation);
    }
    define(table, columns(schema, table));
  });

/** A column that the database computes from others of its row. */
export interface Computed {
  readonly name: string;
  /** SQL type. */
  readonly type: string;
  readonly as: string;
}

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = UPPER.toLowerCase();

/**
 * The text of a column with ASCII letters in lower case. `lower()` folds other letters too, each server after its own
 * tables: the Kelvin sign becomes a `k`, and so somebody else's address. MySQL has no `translate`.
 */
export const foldedText = ({ db }: Schema, column: string): string =>
  dialectOf(db) === 'postgres'
    ? `translate(${column}, '${UPPER}', '${LOWER}')`
    : [...UPPER].reduce((text, letter, at) => `replace(${text}, '${letter}', '${LOWER[at]}')`, column);

/** An index of a column in which null comes first, on both dialects. */
export const indexNullsFirst = (
  { db }: Schema,
  table: string,
  { name, key, nullable, last }: { name: string; key: readonly string[]; nullable: string; last: string },
): Knex.Raw =>
  db.raw(
    `create index ?? on ?? (${key.map(() => '??').join(', ')}, ??${dialectOf(db) === 'postgres' ? ' nulls first' : ''}, ??)`,
    [name, table, ...key, nullable, last],
  );

/** Adds computed columns in one statement. */
export const addComputed = ({ db }: Schema, table: string, all: readonly Computed[]): Knex.Raw =>
  db.raw(
    `alter table ?? ${all.map(({ type, as }) => `add column ?? ${type} generated always as (${as}) stored`).join(', ')}`,
    [table, ...all.map(({ name }) => name)],
  );

/**
 * A partial unique constraint on both dialects: a generated flag is 1 for the constrained rows and null for the
 * others, and a unique key with a null never collides.
 */
export const uniqueAmong = (
  schema: Schema,
  table: string,
  { name, among, key }: { name: string; among: string; key: readonly string[] },
): Knex.Raw[] => [
  addComputed(schema, table, [{ name, type: 'smallint', as: `case when ${among} then 1 end` }]),
  schema.db.raw(`create unique index ?? on ?? (${[...key, name].map(() => '??').join(', ')})`, [
    `${table}_${name}`,
    table,
    ...key,
    name,
  ]),
];
