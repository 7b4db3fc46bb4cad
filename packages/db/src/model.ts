import { isDeepStrictEqual } from 'node:util';
import { Model, type QueryBuilder, snakeCaseMappers } from 'objection';
import { type RowChange, recordChanges } from './audit.ts';
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
/** What a model reads and writes. */
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

interface Named extends Omit<Marks, 'kind'> {
  readonly name: string;
  readonly stored: string;
  readonly isJson: boolean;
}

const namesOf = (columns: Columns): Named[] =>
  Object.entries(columns).map(([name, { kind, isNullable, personal, isInAudit }]) => ({
    name,
    stored: snakeCase(name),
    isJson: kind === 'json',
    isNullable,
    personal,
    isInAudit: isInAudit && personal === null,
  }));

type Values = Readonly<Record<string, unknown>>;
type Codec<R extends object> = Pick<TableModel<R>, 'stored' | 'aliased' | 'joined' | 'pick' | 'decode' | 'encode'>;

/** Between the names and values of the table and those of the code. */
function codecOf<R extends object>(table: string, own: readonly Named[], key: readonly string[]): Codec<R> {
  const names = own.map(({ name }) => name);
  const storedNames = own.map(({ stored }) => stored);
  const byName = new Map(own.map((each) => [each.name, each]));
  // Tells rows that were read by the names in code from those by the names in the table.
  const telling = own.find(({ name, stored }) => name !== stored)?.name ?? '';
  const columnNamed = (name: string): Named => {
    const found = byName.get(name);
    if (!found) throw new Error(`${table} has no column for ${name}.`);
    return found;
  };
  const decodeBy = (by: readonly string[], raw: object): R => {
    const row: Record<string, unknown> = {};
    own.forEach(({ name, isJson }, at) => {
      const value = (raw as Values)[by[at] ?? ''];
      row[name] = isJson && typeof value === 'string' ? JSON.parse(value) : value;
    });
    return row as R;
  };
  const record = (textOf: (column: Named) => string) =>
    Object.fromEntries(own.map((each) => [each.name, textOf(each)])) as Record<keyof R & string, string>;

  return {
    stored: record(({ stored }) => stored),
    aliased: (alias) => record(({ stored }) => `${alias}.${stored}`),
    joined(alias) {
      const joinedNames = names.map((name) => `${alias}_${name}`);
      const keyNames = joinedNames.filter((_, at) => key.includes(storedNames[at] ?? ''));
      return {
        columns: Object.fromEntries(joinedNames.map((name, at) => [name, `${alias}.${storedNames[at]}`])),
        decode: (raw) => (keyNames.some((name) => (raw as Values)[name] === null) ? null : decodeBy(joinedNames, raw)),
      };
    },
    pick: (...wanted) =>
      Object.fromEntries(
        wanted.map((name) => {
          const { stored, isJson } = columnNamed(name);
          if (isJson) throw new Error(`${table}.${stored} is JSON and must be decoded.`);
          return [name, stored];
        }),
      ) as Record<(typeof wanted)[number], string>,
    decode: (raw) => decodeBy(telling in raw ? names : storedNames, raw),
    encode(values) {
      const row: Record<string, unknown> = {};
      for (const name of Object.keys(values)) {
        const { stored, isJson } = columnNamed(name);
        const value = (values as Values)[name];
        if (value === undefined) throw new Error(`${table}.${stored} is undefined.`);
        row[stored] = isJson && value !== null ? JSON.stringify(value) : value;
      }
      return row;
    },
  };
}

function subjectOf<Name extends string>(
  { subject, learner, address, follows, ignored = [] }: AuditedSpec<Name>,
  tenant: string | null,
  own: readonly Named[],
): Subject {
  const silent = new Set<string | undefined>(['created', 'modified', follows, ...ignored]);
  return {
    kind: subject,
    customer: tenant,
    learner: learner ?? null,
    address: address ?? null,
    follows: follows ?? null,
    fields: own.flatMap(({ name }) => (silent.has(name) ? [] : [name])),
    hidden: new Set(own.flatMap(({ name, isInAudit }) => (isInAudit ? [] : [name]))),
  };
}

/** Declares a table. Database column names are the snake_case form of the names in `columns`. */
export function defineModel<C extends Columns>(table: string, spec: ModelSpec<C>): TableModel<RowOf<C>> {
  type R = RowOf<C>;
  const key = (spec.key ?? ['uuid']).map(snakeCase);
  const own = namesOf(spec.columns);
  const all = [...own, ...namesOf(spec.internal ?? {})];
  const missing = key.find((name) => !all.some(({ stored }) => stored === name));
  if (missing) throw new Error(`${table} has no column ${missing} for its key.`);

  class Row extends Model {
    static override tableName = table;
    static override idColumn = key;
    static override columnNameMappers = snakeCaseMappers();
    static override jsonAttributes = own.flatMap(({ name, isJson }) => (isJson ? [name] : []));
  }
  const query = (db: Connection) => Row.query(db) as unknown as QueryBuilder<Model & R, (Model & R)[]>;

  const tenant = typeof spec.tenant === 'string' ? spec.tenant : null;
  const subject = spec.audited ? subjectOf(spec.audited, tenant, own) : null;
  const record = (trx: Transaction, change: RowChange) => {
    if (subject) recordChanges(trx, { table, subject }, [change]);
  };

  return {
    table,
    tenant: typeof spec.tenant === 'string' ? snakeCase(spec.tenant) : spec.tenant,
    key,
    columns: all.map(({ stored, isNullable }) => ({ stored, isNullable })),
    personal: Object.fromEntries(all.flatMap(({ stored, personal }) => (personal ? [[stored, personal]] : []))),
    subject,
    query,
    find: async (db, id) => (await query(db).findById(id)) as R | undefined,
    async insert(trx, row) {
      await query(trx).insert(row as never);
      record(trx, { before: null, after: row as never });
    },
    async change(trx, before, after, note) {
      const { uuid } = before as { uuid?: string };
      if (uuid === undefined) throw new Error(`${table} has no uuid to change a row by.`);
      const changed = own.filter(({ name }) => !isDeepStrictEqual(before[name as keyof R], after[name as keyof R]));
      const written = Object.fromEntries(changed.map(({ name }) => [name, after[name as keyof R]]));
      if (changed.length > 0)
        await query(trx)
          .where('uuid', uuid)
          .patch(written as never);
      record(trx, { before: before as never, after: after as never, note: note ?? null });
    },
    ...codecOf<R>(table, own, key),
  };
}
