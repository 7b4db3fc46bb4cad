import { isDeepStrictEqual } from 'node:util';
import { Model, type QueryBuilder, snakeCaseMappers } from 'objection';
import { recordChanges } from './audit.ts';
import type { Connection, Transaction } from './knex.ts';

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
  readonly isInAudit: boolean;
  /** Null is allowed. */
  nullable(): Column<T | null>;
  /** Marks personal data, and how it is deleted. */
  personalData(what: PersonalData): Column<T>;
  /** The audit trail says that it changed, but not to what. So it is with all personal data. */
  notInAudit(): Column<T>;
  /** Only carries the type. */
  readonly type?: T;
}

type Marks = Pick<Column, 'kind' | 'isNullable' | 'personal' | 'isInAudit'>;

const column = <T>(marks: Marks): Column<T> => ({
  ...marks,
  nullable: () => column<T | null>({ ...marks, isNullable: true }),
  personalData: (personal) => column<T>({ ...marks, personal }),
  notInAudit: () => column<T>({ ...marks, isInAudit: false }),
});

const of = <T>(kind: Column['kind']) => column<T>({ kind, isNullable: false, personal: null, isInAudit: true });

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
  /** Changes of rows are recorded in the audit trail. */
  readonly audited?: AuditedSpec<keyof C & string>;
  readonly columns: C;
  /** Columns that are used in SQL only: computed by the database, or updated in place. */
  readonly internal?: Columns;
}

/** What the audit trail knows about the rows of a table. */
export interface AuditedSpec<Name extends string> {
  /** Name in the trail: `assignment`. */
  readonly subject: string;
  /** Column with the learner's account. */
  readonly learner?: Name;
  /** Column with the address by which a learner without an account is known. */
  readonly address?: Name;
  /** Column with the correlation id of the call that began the present life of the row. */
  readonly follows?: Name;
  /** Columns whose changes say nothing, such as counters. The times of writing never count. */
  readonly ignored?: readonly Name[];
}

/** The same, ready for use, by the names in code. */
export interface Subject {
  readonly kind: string;
  readonly customer: string | null;
  readonly learner: string | null;
  readonly address: string | null;
  readonly follows: string | null;
  /** Columns whose changes are recorded. */
  readonly fields: readonly string[];
  /** Those of which only the fact of a change is recorded. */
  readonly hidden: ReadonlySet<string>;
}

/** A column as the database has it. */
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
  /** Null when changes are not recorded. */
  readonly subject: Subject | null;
  query(db: Connection): QueryBuilder<Model & R, (Model & R)[]>;
  find(db: Connection, id: string): Promise<R | undefined>;
  /** Stores a new row; the audit trail hears of it. */
  insert(trx: Transaction, row: R): Promise<void>;
  /** Stores what differs between a row that the caller holds and the row as it shall be; the audit trail hears of it. */
  change(trx: Transaction, before: R, after: R, note?: string): Promise<void>;
  /** Names in the table by the names in code. */
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
      isInAudit: marks.isInAudit && marks.personal === null,
    }));
  const own = named(spec.columns);
  const all = [...own, ...named(spec.internal ?? {})];
  const byName = new Map(own.map((each) => [each.name, each]));
  const missing = key.find((name) => !all.some(({ stored }) => stored === name));
  if (missing) throw new Error(`${table} has no column ${missing} for its key.`);
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
  const subjectOf = ({ subject, learner, address, follows, ignored = [] }: AuditedSpec<keyof C & string>): Subject => {
    const silent = new Set<string | undefined>(['created', 'modified', follows, ...ignored]);
    return {
      kind: subject,
      customer: typeof spec.tenant === 'string' ? spec.tenant : null,
      learner: learner ?? null,
      address: address ?? null,
      follows: follows ?? null,
      fields: own.flatMap(({ name }) => (silent.has(name) ? [] : [name])),
      hidden: new Set(own.flatMap(({ name, isInAudit }) => (isInAudit ? [] : [name]))),
    };
  };
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

  const model: TableModel<R> = {
    table,
    tenant: typeof spec.tenant === 'string' ? snakeCase(spec.tenant) : spec.tenant,
    key,
    columns: all.map(({ stored, isNullable }) => ({ stored, isNullable })),
    personal: Object.fromEntries(all.flatMap(({ stored, personal }) => (personal ? [[stored, personal]] : []))),
    subject: spec.audited ? subjectOf(spec.audited) : null,
    query,
    find: async (db, id) => (await query(db).findById(id)) as R | undefined,
    async insert(trx, row) {
      await query(trx).insert(row as never);
      if (model.subject) recordChanges(trx, model, [{ before: null, after: row as never }]);
    },
    async change(trx, before, after, note) {
      const changed = own.filter(({ name }) => !isDeepStrictEqual(before[name as keyof R], after[name as keyof R]));
      const written = Object.fromEntries(changed.map(({ name }) => [name, after[name as keyof R]]));
      const { uuid } = before as { uuid?: string };
      if (uuid === undefined) throw new Error(`${table} has no uuid to change a row by.`);
      if (changed.length > 0)
        await query(trx)
          .findById(uuid)
          .patch(written as never);
      if (model.subject)
        recordChanges(trx, model, [{ before: before as never, after: after as never, note: note ?? null }]);
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
  return model;
}
