import type { Knex } from 'knex';
import { type Connection, dialectOf, isMariadb } from './knex.ts';

/**
 * Runs inserts that need no answer as one statement, because each round trip costs more than the rows: as common table
 * expressions on PostgreSQL, as a compound statement on MariaDB, and one after the other on MySQL, which has neither.
 */
export async function insertTogether(db: Connection, inserts: readonly Knex.QueryBuilder[]): Promise<void> {
  const last = inserts.at(-1);
  if (!last) return;
  if (inserts.length > 1 && isMariadb(db)) {
    const parts = inserts.map((insert) => insert.toSQL());
    const statements = parts.map(({ sql }) => `${sql}; `).join('');
    await db.raw(
      `begin not atomic ${statements}end`,
      parts.flatMap(({ bindings }) => bindings as Knex.RawBinding[]),
    );
    return;
  }
  for (const [at, insert] of inserts.slice(0, -1).entries()) {
    if (dialectOf(db) === 'postgres') last.with(`together_${at}`, insert);
    else await insert;
  }
  await last;
}
