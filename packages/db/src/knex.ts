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
/** A connection pool or an open transaction. */
export type Connection = Knex | Knex.Transaction;
export type Transaction = Knex.Transaction;

export interface ConnectOptions {
  /** `postgres://…` or `mysql://…` (MariaDB too). */
  readonly url: string;
  /** Maximum number of open connections. */
  readonly poolSize?: number;
  /** Timeout for getting a connection from the pool, in milliseconds. */
  readonly acquireTimeoutMs?: number;
  /** Read-only connections: the database rejects every write. For dry runs. */
  readonly readOnly?: boolean;
  /** Timeout of a statement, including COMMIT, in milliseconds; default none, as migrations need. */
  readonly statementTimeoutMs?: number;
  /** Notified of failures and successes, to log outages. */
  readonly outages?: OutageLog;
}

/** Timeout for establishing a connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;

const lostAt = new WeakMap<object, Date>();

/** When this process last lost a connection; null if never. */
export const lastConnectionLostAt = (db: Database): Date | null => lostAt.get(db.client.config.onFailure) ?? null;

/** Silences knex, which writes each connection failure to stderr; the failing statement reports it to its caller. */
const QUIET = { warn: () => undefined, error: () => undefined, debug: () => undefined, deprecate: () => undefined };

/** Parses sums and big integers to numbers; throws if the value is not a safe integer. */
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

/** Converts MySQL's booleans, decimals and big integers to the values that PostgreSQL returns. */
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
    // Replace the space by `T`: otherwise `Date` parses the year 0001 as 2001.
    return text === null ? null : withMicroseconds(new Date(`${text.replace(' ', 'T')}Z`), text);
  }
  return next();
}

/** Opens a connection pool and hides differences between the dialects where a connection can. */
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
        watchSession<MysqlSession>(common)(session, () =>
          prepareMysqlSession(statements)(session, (error) =>
            error ? done(error, session) : learnServer(common)(session, done),
          ),
        );
      },
    },
  };
  return knexFactory(Object.assign(common, config));
}

type Prepared<S> = (error: Error | null, session: S) => void;

/** Handles the error event of a connection that is lost while idle. */
const watchSession =
  <S extends Pick<EventEmitter, 'on'>>({ onFailure }: ClientSettings) =>
  (session: S, done: Prepared<S>): void => {
    session.on('error', onFailure);
    done(null, session);
  };

interface MysqlSession extends Pick<EventEmitter, 'on'> {
  query(sql: string, done: (error: Error | null, rows?: unknown) => void): void;
  destroy(): void;
}

/**
 * READ COMMITTED on both dialects: conditional updates see committed rows, and InnoDB takes no gap locks. This
 * statement works on MySQL 8 and MariaDB, while the variable has different names. Strict mode rejects invalid values
 * instead of truncating them; with ANSI quotes, double-quoted text is an identifier.
 */
const MYSQL_SESSION = [
  "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,ANSI_QUOTES', time_zone = '+00:00'",
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];
/** How long to wait for a row lock, in seconds: the server's own default is 50. */
const LOCK_WAIT_S = 10;

/**
 * Version comments select the statement for each server. MySQL applies its timeout to reads only; our own timer
 * covers the rest.
 */
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
      // The pool does not track a session whose preparation failed; an open one would keep the process alive.
      session.destroy();
      done(error, session);
    });
  };

/** Whether the server of a pool is MariaDB and not MySQL, by a part of its configuration, which knex copies. */
const mariadbs = new WeakMap<object, boolean>();

/** The first session of a pool asks which server it is. */
const learnServer =
  ({ onFailure }: ClientSettings) =>
  (session: MysqlSession, done: Prepared<MysqlSession>): void => {
    if (mariadbs.has(onFailure)) {
      done(null, session);
      return;
    }
    session.query('select version() as version', (error, rows) => {
      const [{ version = '' } = {}] = (rows ?? []) as readonly { readonly version?: string }[];
      if (!error) mariadbs.set(onFailure, /mariadb/i.test(version));
      done(null, session);
    });
  };

/** Known inside transactions, whose connection is open. */
export const isMariadb = (db: Connection): boolean => mariadbs.get(db.client.config.onFailure) ?? false;

export const dialectOf = (db: Connection): Dialect => (db.client.dialect === 'postgresql' ? 'postgres' : 'mysql');
