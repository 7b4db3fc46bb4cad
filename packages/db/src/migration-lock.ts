import { type Connection, dialectOf, type Transaction } from './knex.ts';

/** A connection that blocks others. */
export interface Blocker {
  readonly session: number;
  readonly user: string;
  /** Host and port, or the application name. */
  readonly client: string;
  /** Duration of its current statement or transaction, in seconds. */
  readonly seconds: number;
  /** Statement that terminates the connection. */
  readonly remedy: string;
}

/** Advisory locks of PostgreSQL are numbers, per database. */
const POSTGRES_LOCK = 7_266_243_091;
/** Those of MySQL are names of at most 64 characters, per server. */
const MYSQL_LOCK = "concat('enterprise_access_', left(sha2(database(), 256), 32))";

async function rowsOf<T>(db: Connection, sql: string, bindings: readonly (string | number)[] = []): Promise<T[]> {
  const result: unknown = await db.raw(sql, [...bindings]);
  return Array.isArray(result) ? (result[0] as T[]) : (result as { rows: T[] }).rows;
}

/**
 * Takes the lock if it is free. On PostgreSQL it belongs to the transaction, which also works through a pooler; on
 * MySQL to the connection, because each DDL statement ends a transaction. Both end with the connection.
 */
export async function tryLock(trx: Transaction): Promise<boolean> {
  const sql =
    dialectOf(trx) === 'postgres'
      ? `select case when pg_try_advisory_xact_lock(${POSTGRES_LOCK}) then 1 else 0 end as held`
      : `select get_lock(${MYSQL_LOCK}, 0) as held`;
  const [row] = await rowsOf<{ held: number | null }>(trx, sql);
  return row?.held === 1;
}

/** Releases the lock; a lost connection has released it already. */
export async function giveUpLock(trx: Transaction): Promise<void> {
  if (dialectOf(trx) === 'postgres') return;
  await trx.raw(`select release_lock(${MYSQL_LOCK})`).catch(() => undefined);
}

/** The server's id of this connection. */
export async function sessionOf(trx: Transaction): Promise<number> {
  const sql = dialectOf(trx) === 'postgres' ? 'select pg_backend_pid() as id' : 'select connection_id() as id';
  const [row] = await rowsOf<{ id: number }>(trx, sql);
  return row?.id ?? 0;
}

const POSTGRES_SESSION = `a.pid as session, a.usename as "user", coalesce(nullif(a.application_name, ''), host(a.client_addr), 'local') as client,
  cast(extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start)) as integer) as seconds,
  concat('select pg_terminate_backend(', a.pid, ')') as remedy`;
const MYSQL_SESSION =
  "p.id as session, p.user as `user`, p.host as client, p.time as seconds, concat('kill ', p.id) as remedy";

/** The holder of the lock. Null if it was released meanwhile, or if we lack the privilege to see other connections. */
export async function holder(trx: Transaction): Promise<Blocker | null> {
  const [found] =
    dialectOf(trx) === 'postgres'
      ? await rowsOf<Blocker>(
          trx,
          `select ${POSTGRES_SESSION} from pg_locks l join pg_stat_activity a on a.pid = l.pid
            where l.locktype = 'advisory' and l.granted and l.objsubid = 1
              and l.database = (select oid from pg_database where datname = current_database())
              and (cast(l.classid as bigint) << 32) + cast(l.objid as bigint) = ?`,
          [POSTGRES_LOCK],
        )
      : await rowsOf<Blocker>(
          trx,
          `select ${MYSQL_SESSION} from information_schema.processlist p where p.id = is_used_lock(${MYSQL_LOCK})`,
        );
  return found ?? null;
}

/**
 * Connections that block the statement of `session`; on MySQL, the oldest open transactions while it waits for a
 * table lock.
 */
export const blockersOf = (db: Connection, session: number): Promise<Blocker[]> =>
  dialectOf(db) === 'postgres'
    ? rowsOf<Blocker>(db, `select ${POSTGRES_SESSION} from pg_stat_activity a where a.pid = any(pg_blocking_pids(?))`, [
        session,
      ])
    : rowsOf<Blocker>(
        db,
        `select ${MYSQL_SESSION} from information_schema.innodb_trx t
          join information_schema.processlist p on p.id = t.trx_mysql_thread_id
          where p.id <> ? and exists (
            select 1 from information_schema.processlist w where w.id = ? and w.state like 'Waiting for table metadata lock%'
          ) order by t.trx_started limit 3`,
        [session, session],
      );
