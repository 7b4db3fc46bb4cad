import type { Database } from '@enterprise-access/db';
import { service } from '@enterprise-access/domain';

type Values = Record<string, unknown>;
interface StoredChange {
  readonly subject_uuid: string;
  readonly action: string;
  readonly after_values: unknown;
}

const json = (value: unknown): Values | null =>
  typeof value === 'string' ? JSON.parse(value) : (value as Values | null);
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));
const HIDDEN = '***';

const audited = [...service.tables.values()].filter(({ subject }) => subject !== null);

/** Ids of all audited rows. */
export async function storedRows(db: Database): Promise<ReadonlySet<string>> {
  const all = await Promise.all(audited.map(({ table }) => db(table).pluck('uuid') as Promise<string[]>));
  return new Set(all.flat());
}

/**
 * Where rows and the trail say different things: every audited row is what its recorded changes make of it, and no
 * record tells of a row that is not there. Of rows that were there `before`, what was recorded since counts.
 */
export async function disagreements(db: Database, before: ReadonlySet<string>): Promise<string[]> {
  const found: string[] = [];
  for (const { table, subject, decode } of audited) {
    if (!subject) continue;
    const changes: StoredChange[] = await db('audit_changes')
      .where({ subject_kind: subject.kind })
      .orderBy(['entry_uuid', 'position'])
      .select('subject_uuid', 'action', 'after_values');
    const lives = Map.groupBy(changes, ({ subject_uuid: uuid }) => uuid);
    const rows = new Map(
      (await db(table).select('*')).map((row): [string, Values] => [row.uuid, decode(row) as Values]),
    );
    for (const uuid of new Set([...lives.keys(), ...rows.keys()])) {
      const [life, row] = [lives.get(uuid) ?? [], rows.get(uuid)];
      // New free licences have no record each: that of their plan says how many there are.
      const isCounted = subject.kind === 'license' && life[0]?.action !== 'created';
      const isNew = !before.has(uuid) && !isCounted;
      const isGone = life.at(-1)?.action === 'deleted';
      if (isNew && life[0]?.action !== 'created') found.push(`${table} ${uuid} has no record of its creation`);
      if (isGone === (row !== undefined)) found.push(`${table} ${uuid} is ${row ? 'there' : 'not there'}`);
      if (!row || isGone) continue;
      const told: Values = Object.assign({}, ...life.map((change) => json(change.after_values)));
      for (const name of isNew ? subject.fields : Object.keys(told)) {
        const [is, says] = [plain(row[name]), plain(told[name])];
        if (says === HIDDEN ? is === null : !subject.hidden.has(name) && JSON.stringify(is) !== JSON.stringify(says))
          found.push(`${table} ${uuid}: ${name} is ${JSON.stringify(is)}, recorded is ${JSON.stringify(says)}`);
      }
    }
  }
  const orphans = await db('audit_changes as c')
    .leftJoin('audit_entries as e', 'e.uuid', 'c.entry_uuid')
    .whereNull('e.uuid')
    .pluck('c.entry_uuid');
  return [...found, ...orphans.map((uuid: string) => `${uuid} is no entry`)];
}
