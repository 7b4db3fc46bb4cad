import type { EventEmitter } from 'node:events';
import knexFactory, { type Knex } from 'knex';
import pg from 'pg';
import { type ClientSettings, mysqlClient, postgresClient } from './client.ts';
import { isConnectionLost } from './failures.ts';
import { withMicroseconds } from './instant.ts';
import type { OutageLog } from './outage.ts';
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
  /** How long one statement may take, a COMMIT too, in milliseconds; without it there is no bound, as migrations need. */
  readonly statementTimeoutMs?: number;
  /** Told when the database is unavailable, and when it answers. */
  readonly outages?: OutageLog;
}

/** A server that does not even accept a connection in this time is not there, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

const lostAt = new WeakMap<object, Date>();

/** When this process last found one of its connections lost; null when it never has. */
export const lastConnectionLostAt = (db: Database): Date | null => lostAt.get(db.client.config.onFailure) ?? null;

/** knex writes each failure of a connection to stderr, with its stack; the statement that fails tells its caller. */
const QUIET = { warn: () => undefined, error: () => undefined, debug: () => undefined, deprecate: () => undefined };

/** Sums and big integers arrive as numbers; a value that a number cannot hold exactly is an error, not a rounding. */
export function exactNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new RangeError('Integer beyond the safe range.');
  return value;
}

const { INT8, NUMERIC, TIMESTAMPTZ } = pg.types.builtins;
const POSTGRES_NUMBERS = new Set([INT8, NUMERIC]);
const postgresDate: (text: string) => Date = pg.types.getTypeParser(TIMESTAMPTZ, 'text');

const postgresTypes = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => {
    if (POSTGRES_NUMBERS.has(oid)) return exactNumber;
    if (oid === TIMESTAMPTZ) return (text: string) => withMicroseconds(postgresDate(text), text);
    return pg.types.getTypeParser(oid, format);
  },
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
  if (field.type === 'DATETIME' || field.type === 'TIMESTAMP') {
    const text = field.string();
    // With a space in it, `Date` would take the year 0001 for 2001.
    return text === null ? null : withMicroseconds(new Date(`${text.replace(' ', 'T')}Z`), text);
  }
  return next();
}

/** Opens a pool; every difference between the dialects that a connection can hide is hidden here. */
export function connect(options: ConnectOptions): Database {
  const pool = { min: 0, max: options.poolSize ?? 20 };
  const acquireConnectionTimeout = options.acquireTimeoutMs ?? 15_000;
  const { dialect, tls, ...url } = parseDatabaseUrl(options.url);
  const { statementTimeoutMs = 0 } = options;
  const common: ClientSettings & Pick<Knex.Config, 'acquireConnectionTimeout' | 'log'> = {
    statementTimeoutMs,
    onFailure(error) {
      if (isConnectionLost(error)) lostAt.set(common.onFailure, new Date());
      options.outages?.failed(error);
    },
    onAnswer: () => options.outages?.answered(),
    acquireConnectionTimeout,
    log: QUIET,
  };
  if (dialect === 'postgres') {
    return knexFactory(
      Object.assign(common, {
        client: options.readOnly ? readOnlyPostgres : postgresClient,
        connection: {
          ...postgresConnection(options.url),
          connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
          // Node's own pg types do not know the `types` override that the driver documents.
          types: postgresTypes,
        } as Knex.PgConnectionConfig,
        pool: { ...pool, afterCreate: watchSession(common) },
      }),
    );
  }
  const statements = [
    ...MYSQL_SESSION,
    ...(statementTimeoutMs > 0 ? [mysqlTimeouts(statementTimeoutMs)] : []),
    ...(options.readOnly ? [READ_ONLY] : []),
  ];
  const config = {
    client: mysqlClient,
    connection: {
      connectTimeout: CONNECT_TIMEOUT_MS,
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
      afterCreate(session: MysqlSession, done: Prepared<MysqlSession>) {
        watchSession<MysqlSession>(common)(session, () => prepareMysqlSession(statements)(session, done));
      },
    },
  };
  return knexFactory(Object.assign(common, config));
}

type Prepared<S> = (error: Error | null, session: S) => void;

/** A connection that is lost while nobody uses it says so by an event. */
const watchSession =
  <S extends Pick<EventEmitter, 'on'>>({ onFailure }: ClientSettings) =>
  (session: S, done: Prepared<S>): void => {
    session.on('error', onFailure);
    done(null, session);
  };

interface MysqlSession extends Pick<EventEmitter, 'on'> {
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
/** How long to wait for a row lock, in seconds: the server's own default is 50. */
const LOCK_WAIT_S = 10;

/** Each server reads the comment that is meant for it. MySQL bounds reading statements only; our own timer the others. */
const mysqlTimeouts = (ms: number): string =>
  `SET SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_S} /*M!100100 , max_statement_time = ${ms / 1_000} */ /*!80000 , max_execution_time = ${ms} */`;
const READ_ONLY = 'SET SESSION TRANSACTION READ ONLY';

const prepareMysqlSession =
  (statements: readonly string[]) =>
  (session: MysqlSession, done: Prepared<MysqlSession>): void => {
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
