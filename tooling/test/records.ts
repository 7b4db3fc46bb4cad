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

export interface RecordWatch {
  /** Transactions that changed audited rows and left a record. */
  readonly recorded: number;
  /** Does work of the test itself, such as filling tables, that nobody has to record. */
  ignoring<T>(work: () => Promise<T>): Promise<T>;
  /** Throws when a transaction changed audited rows and left no record of it. */
  assertRecorded(): void;
}

/** Watches the statements of a database for transactions that change audited rows without a record. */
export function watchRecords(db: Database, models: Iterable<Audited>): RecordWatch {
  const recorded = recordedColumns(models);
  const open = new Map<string, { readonly changes: string[]; isRecorded: boolean }>();
  const missing = new Set<string>();
  let seen = 0;
  let isIgnoring = false;
  db.on('query-response', (_response: unknown, { sql, response, __knexTxId: id }: Query) => {
    if (id === undefined || isIgnoring) return;
    const state = open.get(id) ?? { changes: [], isRecorded: false };
    open.set(id, state);
    // Addresses that are forgotten are forgotten in the trail too, and leave no record.
    if (/\b(?:insert into|update) ["`]audit_changes["`]/i.test(sql)) state.isRecorded = true;
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
    assertRecorded() {
      if (missing.size > 0)
        throw new Error(
          `Audited rows were changed without a record in the same transaction:\n${[...missing].join('\n')}`,
        );
    },
  };
}
