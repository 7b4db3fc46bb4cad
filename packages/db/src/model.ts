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
  readonly isNullable: boolean;
  readonly personal: PersonalData | null;
  readonly isInHistory: boolean;
  /** Null is allowed. */
  nullable(): Column<T | null>;
  /** Says who somebody is, and what becomes of it. */
  personalData(what: PersonalData): Column<T>;
  /** History keeps no copy, so that what is deleted from the row is gone. */
  notInHistory(): Column<T>;
  /** Only carries the type. */
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
 * Columns by what they hold. Connections decode booleans, instants and big integers for both dialects; JSON, which
 * MariaDB keeps as text, is decoded by the model.
 */
export const is = {
  uuid: () => of<string>('plain'),
  text: () => of<string>('plain'),
  /** One of a few short texts. */
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
/** What a model reads and writes. */
export type Row<M> = M extends TableModel<infer R> ? R : never;

export interface ModelSpec<C extends Columns> {
  /** Column with the customer that a row belongs to, or why there is none. */
  readonly tenant: (keyof C & string) | { readonly platform: string };
  /** Columns of the primary key; `uuid` unless given. */
  readonly key?: readonly string[];
  /** Changes are kept in a table beside this one. */
  readonly history?: true;
  readonly columns: C;
  /** Columns that only statements see: computed by the database, or changed in place. */
  readonly internal?: Columns;
}

/** A column as the database has it. */
export interface StoredColumn {
  readonly stored: string;
  readonly isNullable: boolean;
}

/** Names that are not columns, as a type that no value has. */
type NoOthers<V, R> = { readonly [K in Exclude<keyof V, keyof R>]: never };

/** A table as code sees it: names in camel case, JSON as values. */
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
  /** What history keeps of a row. */
  snapshot(row: object): object;
  query(db: Connection): QueryBuilder<Model & R, (Model & R)[]>;
  find(db: Connection, id: string): Promise<R | undefined>;
  insert(db: Connection, row: R): Promise<void>;
  /** Changes the columns that are given. */
  patch(db: Connection, id: string, change: Partial<R>): Promise<void>;
  /** Names in the table by the names in code. */
  readonly stored: Readonly<Record<keyof R & string, string>>;
  /** Columns for a `select` in which the table goes by an alias. */
  aliased(alias: string): Readonly<Record<keyof R & string, string>>;
  /** The table as a part of a join: columns whose names start with the alias, and what makes a row of them. */
  joined(alias: string): {
    readonly columns: Readonly<Record<string, string>>;
    /** Null when the join found nothing. */
    decode(raw: object): R | null;
  };
  /** Some columns for a `select` whose rows are used as they come, and so without JSON. */
  pick<K extends keyof R & string>(...names: readonly K[]): Readonly<Record<K, string>>;
  /** A row that was read by `aliased` or by the table's own names. */
  decode(raw: object): R;
  /** Values by the table's own names, for statements that are written out; undefined values are left out. */
  encode<V extends Partial<R>>(values: V & NoOthers<V, R>): Record<string, unknown>;
}

/** A change of a row, with the row as it was then. */
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

/** Declares a table. Names of columns are the snake case of the names in `columns`. */
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
