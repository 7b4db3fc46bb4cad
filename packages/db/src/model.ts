import { Model, type QueryBuilder, snakeCaseMappers } from 'objection';
import type { Connection } from './knex.ts';

// The one place that imports Objection: a linter rule keeps it out of every other file. Plain queries only, no relations
// and no graphs, so that another mapper is a change of this file.

/** What becomes of personal data: the job that deletes it, or why it stays. */
export type PersonalDataEnd = { readonly job: string } | { readonly stays: string };

export interface PersonalData {
  readonly holds: string;
  readonly ends: PersonalDataEnd;
}

/** What a column holds. `T` is the type that code sees. */
export interface Column<T = unknown> {
  readonly kind: 'plain' | 'json';
  readonly personal: PersonalData | null;
  /** Null is allowed. */
  nullable(): Column<T | null>;
  /** Says who somebody is, and what becomes of it. */
  personalData(what: PersonalData): Column<T>;
  /** Only carries the type. */
  readonly type?: T;
}

const column = <T>(kind: Column['kind'], personal: PersonalData | null = null): Column<T> => ({
  kind,
  personal,
  nullable: () => column<T | null>(kind, personal),
  personalData: (what) => column<T>(kind, what),
});

/**
 * Columns by what they hold. Connections decode booleans, instants and big integers for both dialects; JSON, which
 * MariaDB keeps as text, is decoded by the model.
 */
export const is = {
  uuid: () => column<string>('plain'),
  text: () => column<string>('plain'),
  /** One of a few short texts. */
  code: <const T extends string>() => column<T>('plain'),
  integer: () => column<number>('plain'),
  /** US cents. */
  cents: () => column<number>('plain'),
  flag: () => column<boolean>('plain'),
  instant: () => column<Date>('plain'),
  json: <T>() => column<T>('json'),
};

type Columns = Readonly<Record<string, Column>>;
export type RowOf<C extends Columns> = { -readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never };

export interface ModelSpec<C extends Columns> {
  /** Column with the customer that a row belongs to, or why there is none. */
  readonly tenant: (keyof C & string) | { readonly platform: string };
  /** Primary key; `uuid` unless given. */
  readonly id?: keyof C & string;
  readonly columns: C;
}

/** A table as code sees it: names in camel case, JSON as values. */
export interface TableModel<R extends object = object> {
  readonly table: string;
  readonly tenant: string | { readonly platform: string };
  /** Personal data by the column's name in the table. */
  readonly personal: Readonly<Record<string, PersonalData>>;
  query(db: Connection): QueryBuilder<Model & R, (Model & R)[]>;
  find(db: Connection, id: string): Promise<R | undefined>;
  insert(db: Connection, row: R): Promise<void>;
  /** Changes the columns that are given. */
  patch(db: Connection, id: string, change: Partial<R>): Promise<void>;
  /** Columns for a `select` in which the table goes by an alias. */
  aliased(alias: string): Readonly<Record<keyof R & string, string>>;
  /** A row that was read by `aliased` or by the table's own names. */
  decode(raw: object): R;
  /** Values by the table's own names, for statements that are written out. */
  encode(values: Partial<R>): Record<string, unknown>;
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Declares a table. Names of columns are the snake case of the names in `columns`. */
export function defineModel<C extends Columns>(table: string, spec: ModelSpec<C>): TableModel<RowOf<C>> {
  type R = RowOf<C>;
  const idName = spec.id ?? 'uuid';
  const named = Object.entries(spec.columns).map(([name, { kind, personal }]) => ({
    name,
    stored: snakeCase(name),
    isJson: kind === 'json',
    personal,
  }));
  const jsonNames = named.filter(({ isJson }) => isJson).map(({ name }) => name);

  class Row extends Model {
    static override tableName = table;
    static override idColumn = snakeCase(idName);
    static override columnNameMappers = snakeCaseMappers();
    static override jsonAttributes = jsonNames;
  }
  const query = (db: Connection) => Row.query(db) as unknown as QueryBuilder<Model & R, (Model & R)[]>;

  return {
    table,
    tenant: typeof spec.tenant === 'string' ? snakeCase(spec.tenant) : spec.tenant,
    personal: Object.fromEntries(named.flatMap(({ stored, personal }) => (personal ? [[stored, personal]] : []))),
    query,
    find: async (db, id) => (await query(db).findById(id)) as R | undefined,
    async insert(db, row) {
      await query(db).insert(row as never);
    },
    async patch(db, id, change) {
      await query(db)
        .findById(id)
        .patch(change as never);
    },
    aliased: (alias) =>
      Object.fromEntries(named.map(({ name, stored }) => [name, `${alias}.${stored}`])) as Record<
        keyof R & string,
        string
      >,
    decode(raw) {
      const values = raw as Readonly<Record<string, unknown>>;
      return Object.fromEntries(
        named.map(({ name, stored, isJson }) => {
          const value = name in values ? values[name] : values[stored];
          return [name, isJson && typeof value === 'string' ? JSON.parse(value) : value];
        }),
      ) as R;
    },
    encode(values) {
      const given = values as Readonly<Record<string, unknown>>;
      return Object.fromEntries(
        named
          .filter(({ name }) => given[name] !== undefined)
          .map(({ name, stored, isJson }) => {
            const value = given[name];
            return [stored, isJson && value !== null ? JSON.stringify(value) : value];
          }),
      );
    },
  };
}
