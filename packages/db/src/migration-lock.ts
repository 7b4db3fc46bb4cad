import { type Connection, dialectOf, type Transaction } from './knex.ts';

/** A connection that somebody waits for. */
export interface Blocker {
  readonly session: number;
  readonly user: string;
  /** Host and port, or the name that the application gives itself. */
  readonly client: string;
  /** How long it has been doing what it does. */
  readonly seconds: number;
  /** The statement that ends it. */
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
 * Takes the lock if nobody has it. On PostgreSQL it is the transaction's, which also holds through a pooler; on MySQL it
 * is the connection's, because each statement of a migration ends a transaction. Both are gone when the connection is.
 */
export async function tryLock(trx: Transaction): Promise<boolean> {
  const sql =
    dialectOf(trx) === 'postgres'
      ? `select case when pg_try_advisory_xact_lock(${POSTGRES_LOCK}) then 1 else 0 end as held`
      : `select get_lock(${MYSQL_LOCK}, 0) as held`;
  const [row] = await rowsOf<{ held: number | null }>(trx, sql);
  return row?.held === 1;
}

/** One that is lost has nothing to give up. */
export async function giveUpLock(trx: Transaction): Promise<void> {
  if (dialectOf(trx) === 'postgres') return;
  await trx.raw(`select release_lock(${MYSQL_LOCK})`).catch(() => undefined);
}

/** The number under which the server knows this connection. */
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

/** Who has the lock. Null when it was given up meanwhile, or when we may not see other connections. */
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

/** Whom a statement of `session` waits for: on MySQL, the oldest open transactions, while it waits for a table. */
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
