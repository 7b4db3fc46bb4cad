import knexFactory, { type Knex } from 'knex';
import pg from 'pg';
import { readOnlyPostgres } from './read-only-postgres.ts';
import { type Dialect, parseDatabaseUrl, postgresConnection } from './url.ts';

export type Database = Knex;
/** A connection pool or an open transaction: whatever can run a statement. */
export type Connection = Knex | Knex.Transaction;
export type Transaction = Knex.Transaction;

export interface ConnectOptions {
  /** `postgres://…` or `mysql://…` (MariaDB too). */
  readonly url: string;
  /** Largest number of open connections of this process. */
  readonly poolSize?: number;
  /** How long a statement waits for a free connection before it fails, in milliseconds. */
  readonly acquireTimeoutMs?: number;
  /** The database refuses every write: for those who promise to look only. */
  readonly readOnly?: boolean;
}

/** Sums and big integers arrive as numbers; a value that a number cannot hold exactly is an error, not a rounding. */
export function exactNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new RangeError('Integer beyond the safe range.');
  return value;
}

const POSTGRES_NUMBERS = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

const postgresTypes = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    POSTGRES_NUMBERS.has(oid) ? exactNumber : pg.types.getTypeParser(oid, format),
};

interface MysqlField {
  readonly type: string;
  readonly length: number;
  string(): string | null;
}

/** MySQL has no booleans, and its decimals and big integers are text: both become what PostgreSQL gives. */
function mysqlValue(field: MysqlField, next: () => unknown): unknown {
  if (field.type === 'TINY' && field.length === 1) {
    const text = field.string();
    return text === null ? null : text === '1';
  }
  if (field.type === 'LONGLONG' || field.type === 'NEWDECIMAL') {
    const text = field.string();
    return text === null ? null : exactNumber(text);
  }
  return next();
}

/** Opens a pool; every difference between the dialects that a connection can hide is hidden here. */
export function connect(options: ConnectOptions): Database {
  const pool = { min: 0, max: options.poolSize ?? 20 };
  const acquireConnectionTimeout = options.acquireTimeoutMs ?? 15_000;
  const { dialect, tls, ...url } = parseDatabaseUrl(options.url);
  if (dialect === 'postgres') {
    return knexFactory({
      client: options.readOnly ? readOnlyPostgres : 'pg',
      // Node's own pg types do not know the `types` override that the driver documents.
      connection: { ...postgresConnection(options.url), types: postgresTypes } as Knex.PgConnectionConfig,
      pool,
      acquireConnectionTimeout,
    });
  }
  return knexFactory({
    client: 'mysql2',
    connection: {
      ...url,
      ...(tls ? { ssl: tls } : {}),
      charset: 'utf8mb4',
      timezone: 'Z',
      multipleStatements: false,
      // An UPDATE that matched a row but changed nothing still counts as a match, as on PostgreSQL.
      flags: ['+FOUND_ROWS'],
      typeCast: mysqlValue,
    } as unknown as Knex.MySql2ConnectionConfig,
    pool: {
      ...pool,
      afterCreate: prepareMysqlSession(options.readOnly ? [...MYSQL_SESSION, READ_ONLY] : MYSQL_SESSION),
    },
    acquireConnectionTimeout,
  });
}

interface MysqlSession {
  query(sql: string, done: (error: Error | null) => void): void;
  destroy(): void;
}

/**
 * READ COMMITTED on both dialects: conditional updates then see what is committed, and InnoDB takes no gap locks. The
 * statement is the one form that MySQL 8 and all of MariaDB know; the variable has another name on each.
 * Strict mode makes bad values fail instead of being truncated; with ANSI quotes a quoted name is never a text.
 */
const MYSQL_SESSION = [
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,ANSI_QUOTES', time_zone = '+00:00'",
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];
const READ_ONLY = 'SET SESSION TRANSACTION READ ONLY';

const prepareMysqlSession =
  (statements: readonly string[]) =>
  (session: MysqlSession, done: (error: Error | null, session: MysqlSession) => void): void => {
    const [next, ...rest] = statements;
    if (next === undefined) {
      done(null, session);
      return;
    }
    session.query(next, (error) => {
      if (!error) {
        prepareMysqlSession(rest)(session, done);
        return;
      }
      // The pool forgets a session that could not be prepared. Left open, it would keep the process alive for ever.
      session.destroy();
      done(error, session);
    });
  };

export const dialectOf = (db: Connection): Dialect => (db.client.dialect === 'postgresql' ? 'postgres' : 'mysql');
