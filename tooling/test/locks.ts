import type { Database } from '@enterprise-access/db';
import { addedOnly, lockOrder, newRowsAreOwn } from '@enterprise-access/domain/testing';

const NAME = '["`]?([a-z_]+)["`]?';
const CHANGE = new RegExp(`^\\s*(?:insert (?:ignore )?into|update|delete from)\\s+${NAME}`, 'i');
/** An insert that changes the row if it is there already. */
const UPSERT = /\bon duplicate key update\b|\bdo update set\b/i;
const READ = new RegExp(`\\b(?:from|join)\\s+${NAME}(?:\\s+as\\s+${NAME})?`, 'gi');
const LOCK = /\bfor (?:update|no key update|share)\b(?:\s+of\s+(?<of>["`a-z_, ]+))?/i;

/** Tables in which a statement locks rows, in the order of its text. */
export function lockedTables(sql: string): string[] {
  const changed = CHANGE.exec(sql)?.[1];
  if (changed) return newRowsAreOwn.has(changed) && /^\s*insert/i.test(sql) && !UPSERT.test(sql) ? [] : [changed];
  const lock = LOCK.exec(sql);
  if (!lock) return [];
  const of = lock.groups?.of?.match(/[a-z_]+/g);
  // Rows of a nested select are read, not locked.
  return [...sql.replace(/\(select [^()]*\)/gi, '()').matchAll(READ)]
    .filter(([, table = '', alias = table]) => !of || of.includes(alias))
    .flatMap(([, table]) => table ?? []);
}

const positions: ReadonlyMap<string, number> = new Map(lockOrder.map((table, at) => [table, at]));
const isOrdered = (table: string): boolean => positions.has(table);
const position = (table: string): number => positions.get(table) ?? -1;
const isAddedOnly = (table: string): boolean => addedOnly.has(table);

/**
 * Checks the order in which a transaction locks tables; null if it is correct. A repeated table is allowed: its rows
 * are assumed to be locked already.
 */
export function brokenLockOrder(tables: readonly string[]): string | null {
  const held = new Set<string>();
  let last: string | null = null;
  for (const table of tables.filter((each) => !isAddedOnly(each))) {
    if (held.has(table)) continue;
    held.add(table);
    const isFirst = held.size === 1;
    if (!isFirst && !(isOrdered(table) && [...held].every(isOrdered)))
      return `${[...held].filter((each) => !isOrdered(each)).join(', ')} has no place in the lock order`;
    if (last !== null && position(table) < position(last)) return `${table} is locked after ${last}`;
    last = table;
  }
  return null;
}

export interface LockWatch {
  /** Tables of each ended transaction, in the order of their first lock. */
  readonly transactions: readonly (readonly string[])[];
  /** Throws if a transaction locked rows in another order than `lockOrder`. */
  assertInOrder(): void;
}

/** Watches the statements of a database for transactions that lock rows in the wrong order. */
export function watchLocks(db: Database): LockWatch {
  const open = new Map<string, string[]>();
  const transactions: string[][] = [];
  const broken = new Set<string>();
  db.on('query', ({ sql, __knexTxId: id }: { sql: string; __knexTxId?: string }) => {
    if (id === undefined) return;
    if (/^\s*(?:commit|rollback)\b/i.test(sql)) {
      const tables = [...new Set(open.get(id))];
      if (tables.length > 0) transactions.push(tables.filter(isOrdered));
      open.delete(id);
      return;
    }
    const tables = lockedTables(sql);
    if (tables.length === 0) return;
    const sofar = [...(open.get(id) ?? []), ...tables];
    open.set(id, sofar);
    const fault = brokenLockOrder(sofar);
    if (fault) broken.add(`${fault}: ${[...new Set(sofar)].join(' → ')}`);
  });
  return {
    transactions,
    assertInOrder() {
      if (broken.size > 0) throw new Error(`Rows are not locked in the order of lockOrder:\n${[...broken].join('\n')}`);
    },
  };
}
