import type { Database, TableModel } from '@enterprise-access/db';

const NAME = '["`]?([a-z_]+)["`]?';
const CHANGE = new RegExp(`^\\s*(insert|update|delete)\\s+(?:ignore\\s+)?(?:into\\s+|from\\s+)?${NAME}`, 'i');
const SET = /\bset\b([\s\S]*?)(?:\bwhere\b|$)/i;
const ASSIGNED = /(?:^|,)\s*(?:["`]?[a-z_]+["`]?\.)?["`]?([a-z_]+)["`]?\s*=/g;

type Audited = Pick<TableModel, 'table' | 'subject' | 'stored'>;

/** Columns by table whose changes belong into the trail; tables that are not audited are left out. */
export const recordedColumns = (models: Iterable<Audited>): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(
    [...models].flatMap(({ table, subject, stored }) =>
      subject
        ? [[table, new Set(subject.fields.map((name) => (stored as Readonly<Record<string, string>>)[name] ?? name))]]
        : [],
    ),
  );

/** The audited table that a statement changes so that it belongs into the trail; null when it does not. */
export function changedTable(sql: string, recorded: ReadonlyMap<string, ReadonlySet<string>>): string | null {
  const [, verb = '', table = ''] = CHANGE.exec(sql) ?? [];
  const columns = recorded.get(table);
  if (!columns) return null;
  if (verb.toLowerCase() !== 'update') return table;
  const assigned = [...(SET.exec(sql)?.[1] ?? '').matchAll(ASSIGNED)].map(([, column = '']) => column);
  return assigned.some((column) => columns.has(column)) ? table : null;
}

/** Rows that a statement changed, as the drivers tell. */
function affectedRows(response: unknown): number {
  const result = Array.isArray(response) ? response[0] : response;
  const { affectedRows, rowCount } = (result ?? {}) as { affectedRows?: number; rowCount?: number };
  return affectedRows ?? rowCount ?? 1;
}

interface Query {
  readonly sql: string;
  readonly response?: unknown;
  readonly __knexTxId?: string;
}

type Values = Readonly<Record<string, unknown>>;

/** A change as the trail has it. */
export interface ToldChange {
  readonly kind: string;
  readonly uuid: string;
  readonly action: string;
  readonly before: Values | null;
  readonly after: Values | null;
}

/** JSON with sorted keys, because PostgreSQL stores them in an order of its own. */
const text = (value: unknown): string =>
  JSON.stringify(value ?? null, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );

/**
 * Fields whose records do not follow one another: some record says that a value was there before which no earlier one
 * left there. Needs no order of the records, which that of their ids is not for transactions that ran at once: each
 * value is left as often as it is found, but for the one that the row has now.
 */
export function brokenChains(changes: readonly ToldChange[]): string[] {
  const broken: string[] = [];
  // A redemption and its ledger transaction have the same uuid.
  for (const life of Map.groupBy(changes, ({ kind, uuid }) => `${kind} ${uuid}`).values()) {
    const names = new Set(life.flatMap(({ before, after }) => Object.keys({ ...before, ...after })));
    const isBorn = life.some(({ action }) => action === 'created');
    for (const name of names) {
      const left = new Map<string, number>();
      const count = (value: unknown, by: number): void => {
        left.set(text(value), (left.get(text(value)) ?? 0) + by);
      };
      for (const { action, before, after } of life) {
        const isTold = action !== 'updated' || name in (before ?? {}) || name in (after ?? {});
        if (isTold && action !== 'created') count(before?.[name], -1);
        if (isTold && action !== 'deleted') count(after?.[name], 1);
      }
      const [missing, extra] = [-1, 1].map((sign) => [...left].filter(([, n]) => Math.sign(n) === sign));
      const sum = (all: typeof missing) => (all ?? []).reduce((total, [, n]) => total + Math.abs(n), 0);
      if (sum(missing) <= (isBorn ? 0 : 1) && sum(extra) <= 1) continue;
      const [{ kind, uuid } = { kind: '', uuid: '' }] = life;
      const values = (all: typeof missing) => (all ?? []).map(([value]) => value).join(', ');
      broken.push(`${kind} ${uuid}: ${name} was ${values(missing)} where it had become ${values(extra)}`);
    }
  }
  return broken;
}

const parsed = (stored: unknown): Values | null =>
  typeof stored === 'string' ? JSON.parse(stored) : (stored as Values | null);

/** More records than this are not read again at the end of a test. */
const MOST_RECORDS = 20_000;

/** Changes of the trail, without those of the given kinds. */
async function toldChanges(db: Database, except: ReadonlySet<string>): Promise<ToldChange[]> {
  const rows = await db('audit_changes')
    .whereNotIn('subject_kind', [...except])
    .orderBy('subject_uuid')
    .limit(MOST_RECORDS)
    .select('subject_kind', 'subject_uuid', 'action', 'before_values', 'after_values');
  const cut = rows.length === MOST_RECORDS ? rows.at(-1)?.subject_uuid : null;
  return rows
    .filter(({ subject_uuid: uuid }) => uuid !== cut)
    .map((row) => ({
      kind: row.subject_kind,
      uuid: row.subject_uuid,
      action: row.action,
      before: parsed(row.before_values),
      after: parsed(row.after_values),
    }));
}

export interface RecordWatch {
  /** Transactions that changed audited rows and left a record. */
  readonly recorded: number;
  /** Does work of the test itself, such as filling tables, that nobody has to record. */
  ignoring<T>(work: () => Promise<T>): Promise<T>;
  /** Throws when a transaction changed audited rows and left no record of it. */
  assertRecorded(): void;
  /** Throws when a record says that something was there before which the record before it did not leave. */
  assertChained(): Promise<void>;
}

/** Watches the statements of a database for transactions that change audited rows without a record. */
export function watchRecords(db: Database, given: Iterable<Audited>): RecordWatch {
  const models = [...given];
  const recorded = recordedColumns(models);
  /** Tables that the test itself changed, beside the trail. */
  const edited = new Set<string>();
  const open = new Map<string, { readonly changes: string[]; isRecorded: boolean }>();
  const missing = new Set<string>();
  let seen = 0;
  let isIgnoring = false;
  db.on('query-response', (_response: unknown, { sql, response, __knexTxId: id }: Query) => {
    if (id === undefined || isIgnoring) {
      const table = /^\s*insert/i.test(sql) ? null : changedTable(sql, recorded);
      if (table !== null) edited.add(table);
      return;
    }
    const state = open.get(id) ?? { changes: [], isRecorded: false };
    open.set(id, state);
    if (/\binsert into ["`]audit_changes["`]/i.test(sql)) state.isRecorded = true;
    if (changedTable(sql, recorded) !== null && affectedRows(response) > 0) state.changes.push(sql.slice(0, 200));
  });
  db.on('query', ({ sql, __knexTxId: id }: Query) => {
    if (id === undefined || !/^\s*(?:commit|rollback)\b/i.test(sql)) return;
    const state = open.get(id);
    open.delete(id);
    if (!state || state.changes.length === 0 || /^\s*rollback\b/i.test(sql)) return;
    if (state.isRecorded) seen += 1;
    else missing.add(state.changes.join('\n  '));
  });
  return {
    get recorded() {
      return seen;
    },
    async ignoring(work) {
      isIgnoring = true;
      return work().finally(() => {
        isIgnoring = false;
      });
    },
    async assertChained() {
      const kinds = models.flatMap(({ table, subject }) => (subject && edited.has(table) ? [subject.kind] : []));
      const broken = brokenChains(await toldChanges(db, new Set(kinds)));
      if (broken.length > 0) throw new Error(`Records that do not follow one another:\n${broken.join('\n')}`);
    },
    assertRecorded() {
      if (missing.size > 0)
        throw new Error(
          `Audited rows were changed without a record in the same transaction:\n${[...missing].join('\n')}`,
        );
    },
  };
}
