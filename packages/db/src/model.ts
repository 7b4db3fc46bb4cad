import { Model, type QueryBuilder, snakeCaseMappers } from 'objection';
import type { Connection } from './knex.ts';

// The one place that imports Objection: a linter rule keeps it out of every other file. Plain queries only, no
// relations
// and no graphs, so that another mapper is a change of this file.

/** How personal data ends: the job that deletes it, or why it is kept. */
export type PersonalDataEnd = { readonly job: string } | { readonly stays: string };

export interface PersonalData {
  readonly holds: string;
  readonly ends: PersonalDataEnd;
}

/** A column type. `T` is the type in code. */
export interface Column<T = unknown> {
  readonly kind: 'plain' | 'json';
  readonly isNullable: boolean;
  readonly personal: PersonalData | null;
  readonly isInHistory: boolean;
  /** Null is allowed. */
  nullable(): Column<T | null>;
  /** Marks personal data, and how it is deleted. */
  personalData(what: PersonalData): Column<T>;
  /** Excludes the column from history snapshots, so that a deletion from the row is complete. */
  notInHistory(): Column<T>;
  /** Never set; carries the type only. */
  readonly type?: T;
}

type Marks = Pick<Column, 'kind' | 'isNullable' | 'personal' | 'isInHistory'>;

const column = <T>(marks: Marks): Column<T> => ({
  ...marks,
  nullable: () => column<T | null>({ ...marks, isNullable: true }),
  personalData: (personal) => column<T>({ ...marks, personal }),
  notInHistory: () => column<T>({ ...marks, isInHistory: false }),
});

const of = <T>(kind: Column['kind']) => column<T>({ kind, isNullable: false, personal: null, isInHistory: true });

/**
 * Column types by meaning. Connections decode booleans, times and big integers for both dialects; the model decodes
 * JSON, which MariaDB stores as text.
 */
export const is = {
  uuid: () => of<string>('plain'),
  text: () => of<string>('plain'),
  /** A short code with few values. */
  code: <const T extends string = string>() => of<T>('plain'),
  integer: () => of<number>('plain'),
  /** US cents. */
  cents: () => of<number>('plain'),
  flag: () => of<boolean>('plain'),
  instant: () => of<Date>('plain'),
  json: <T>() => of<T>('json'),
};

type Columns = Readonly<Record<string, Column>>;
export type RowOf<C extends Columns> = { -readonly [K in keyof C]: C[K] extends Column<infer T> ? T : never };
/** Row type of a model. */
export type Row<M> = M extends TableModel<infer R> ? R : never;

export interface ModelSpec<C extends Columns> {
  /** Column with the customer that owns the row, or the reason why there is none. */
  readonly tenant: (keyof C & string) | { readonly platform: string };
  /** Columns of the primary key; default `uuid`. */
  readonly key?: readonly string[];
  /** Whether changes are recorded in a history table. */
  readonly history?: true;
  readonly columns: C;
  /** Columns that are used in SQL only: computed by the database, or updated in place. */
  readonly internal?: Columns;
}

/** A column in the database. */
export interface StoredColumn {
  readonly stored: string;
  readonly isNullable: boolean;
}

/** Type `never` for names that are not columns, to reject them at compile time. */
type NoOthers<V, R> = { readonly [K in Exclude<keyof V, keyof R>]: never };

/** A table in code: camelCase names, decoded JSON. */
export interface TableModel<R extends object = object> {
  readonly table: string;
  /** Name in the table of the column with the customer. */
  readonly tenant: string | { readonly platform: string };
  /** Columns of the primary key by their names in the table. */
  readonly key: readonly string[];
  readonly columns: readonly StoredColumn[];
  /** Personal data by the column's name in the table. */
  readonly personal: Readonly<Record<string, PersonalData>>;
  /** The table with the changes of this one. */
  readonly history: HistoryModel | null;
  /** The history snapshot of a row. */
  snapshot(row: object): object;
  query(db: Connection): QueryBuilder<Model & R, (Model & R)[]>;
  find(db: Connection, id: string): Promise<R | undefined>;
  insert(db: Connection, row: R): Promise<void>;
  /** Updates the given columns. */
  patch(db: Connection, id: string, change: Partial<R>): Promise<void>;
  /** Database column names by property name. */
  readonly stored: Readonly<Record<keyof R & string, string>>;
  /** Columns for a `select` with a table alias. */
  aliased(alias: string): Readonly<Record<keyof R & string, string>>;
  /** The table in a join: columns prefixed with the alias, and a decoder for them. */
  joined(alias: string): {
    readonly columns: Readonly<Record<string, string>>;
    /** Null if the join found no row. */
    decode(raw: object): R | null;
  };
  /** Columns for a `select` whose rows are not decoded; not for JSON columns. */
  pick<K extends keyof R & string>(...names: readonly K[]): Readonly<Record<K, string>>;
  /** Decodes a row that was selected with `aliased` or with database column names. */
  decode(raw: object): R;
  /** Encodes values by database column name, for raw statements; undefined values are omitted. */
  encode<V extends Partial<R>>(values: V & NoOthers<V, R>): Record<string, unknown>;
}

/** A recorded change with a snapshot of the row. */
interface HistoryRow {
  historyUuid: string;
  entityUuid: string;
  enterpriseCustomerUuid: string;
  historyDate: Date;
  /** `+` created, `~` changed, `-` deleted. */
  historyType: '+' | '~' | '-';
  actorUserId: number | null;
  reason: string | null;
  snapshot: object;
}
export type HistoryModel = TableModel<HistoryRow>;

const historyOf = (table: string): HistoryModel =>
  defineModel(`${table}_history`, {
    tenant: 'enterpriseCustomerUuid',
    key: ['historyUuid'],
    columns: {
      historyUuid: is.uuid(),
      entityUuid: is.uuid(),
      enterpriseCustomerUuid: is.uuid(),
      historyDate: is.instant(),
      historyType: is.code<'+' | '~' | '-'>(),
      actorUserId: is.integer().nullable(),
      reason: is.text().nullable(),
      snapshot: is.json<object>(),
    },
  });

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Declares a table. Database column names are the snake_case form of the names in `columns`. */
export function defineModel<C extends Columns>(table: string, spec: ModelSpec<C>): TableModel<RowOf<C>> {
  type R = RowOf<C>;
  const key = (spec.key ?? ['uuid']).map(snakeCase);
  const named = (columns: Columns) =>
    Object.entries(columns).map(([name, marks]) => ({
      name,
      stored: snakeCase(name),
      isJson: marks.kind === 'json',
      isNullable: marks.isNullable,
      personal: marks.personal,
      isInHistory: marks.isInHistory,
    }));
  const own = named(spec.columns);
  const all = [...own, ...named(spec.internal ?? {})];
  const byName = new Map(own.map((each) => [each.name, each]));
  const missing = key.find((name) => !all.some(({ stored }) => stored === name));
  if (missing) throw new Error(`${table} has no column ${missing} for its key.`);
  const hidden = new Set(own.flatMap(({ name, isInHistory }) => (isInHistory ? [] : [name])));
  const columnNamed = (name: string) => {
    const found = byName.get(name);
    if (!found) throw new Error(`${table} has no column for ${name}.`);
    return found;
  };

  class Row extends Model {
    static override tableName = table;
    static override idColumn = key;
    static override columnNameMappers = snakeCaseMappers();
    static override jsonAttributes = own.flatMap(({ name, isJson }) => (isJson ? [name] : []));
  }
  const decodeNamed = (raw: object, nameOf: (column: (typeof own)[number]) => string): R => {
    const values = raw as Readonly<Record<string, unknown>>;
    const row: Record<string, unknown> = {};
    for (const each of own) {
      const value = values[nameOf(each)];
      row[each.name] = each.isJson && typeof value === 'string' ? JSON.parse(value) : value;
    }
    return row as R;
  };
  const query = (db: Connection) => Row.query(db) as unknown as QueryBuilder<Model & R, (Model & R)[]>;

  return {
    table,
    tenant: typeof spec.tenant === 'string' ? snakeCase(spec.tenant) : spec.tenant,
    key,
    columns: all.map(({ stored, isNullable }) => ({ stored, isNullable })),
    personal: Object.fromEntries(all.flatMap(({ stored, personal }) => (personal ? [[stored, personal]] : []))),
    history: spec.history ? historyOf(table) : null,
    snapshot: (row) => Object.fromEntries(Object.entries(row).filter(([name]) => !hidden.has(name))),
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
    stored: Object.fromEntries(own.map(({ name, stored }) => [name, stored])) as Record<keyof R & string, string>,
    aliased: (alias) =>
      Object.fromEntries(own.map(({ name, stored }) => [name, `${alias}.${stored}`])) as Record<
        keyof R & string,
        string
      >,
    pick: (...names) =>
      Object.fromEntries(
        names.map((name) => {
          const { stored, isJson } = columnNamed(name);
          if (isJson) throw new Error(`${table}.${stored} is JSON and must be decoded.`);
          return [name, stored];
        }),
      ) as Record<(typeof names)[number], string>,
    joined(alias) {
      const nameOf = ({ name }: { readonly name: string }) => `${alias}_${name}`;
      const keyNames = own.filter(({ stored }) => key.includes(stored)).map(nameOf);
      return {
        columns: Object.fromEntries(own.map((each) => [nameOf(each), `${alias}.${each.stored}`])),
        decode: (raw) =>
          keyNames.some((name) => (raw as Readonly<Record<string, unknown>>)[name] === null)
            ? null
            : decodeNamed(raw, nameOf),
      };
    },
    decode: (raw) => decodeNamed(raw, ({ name, stored }) => (name in raw ? name : stored)),
    encode(values) {
      const row: Record<string, unknown> = {};
      for (const [name, value] of Object.entries(values)) {
        const { stored, isJson } = columnNamed(name);
        if (value !== undefined) row[stored] = isJson && value !== null ? JSON.stringify(value) : value;
      }
      return row;
    },
  };
}
