import { type Connection, dialectOf } from './knex.ts';

/** Types of text columns on MySQL and MariaDB; PostgreSQL needs none of it. */
export interface TextTypes {
  /** Any text, compared by code points. */
  readonly text: { readonly charset: string; readonly collation: string };
  /** ASCII: identifiers, states, kinds. */
  readonly ascii: { readonly charset: string; readonly collation: string };
}

const of = (charset: string, collation: string) => ({ charset, collation });

const MARIADB: TextTypes = { text: of('utf8mb4', 'utf8mb4_nopad_bin'), ascii: of('ascii', 'ascii_nopad_bin') };
// MySQL 8 has no collation of ASCII that is NO PAD.
const MYSQL: TextTypes = { text: of('utf8mb4', 'utf8mb4_0900_bin'), ascii: of('utf8mb4', 'utf8mb4_0900_bin') };

/**
 * Collations that compare text exactly. Default collations are PAD SPACE: 'boss ' equals 'boss', unlike on
 * PostgreSQL. MariaDB and MySQL have different names for NO PAD collations, so they are queried from the server.
 */
export async function exactTextTypes(db: Connection): Promise<TextTypes> {
  if (dialectOf(db) === 'postgres') return MARIADB;
  const [known] = (await db.raw(
    'select collation_name as name from information_schema.collations where collation_name in (?, ?)',
    [MARIADB.text.collation, MYSQL.text.collation],
  )) as [{ name: string }[]];
  const names = new Set(known.map(({ name }) => name));
  const found = [MARIADB, MYSQL].find(({ text }) => names.has(text.collation));
  if (!found) throw new Error('The database has no NO PAD collation: MySQL 8 or MariaDB 10.6 is needed.');
  return found;
}
