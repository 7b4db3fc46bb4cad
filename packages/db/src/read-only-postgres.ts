import type { Knex } from 'knex';
import { Postgres, type Session, type Statement } from './client.ts';

const isBegin = (sql: string): boolean => /^begin\b/i.test(sql);
const isEnd = (sql: string): boolean => /^(?:commit|rollback)\s*;?$/i.test(sql);

/** Sessions with a transaction of the caller's own. Not a field: knex makes the clients of transactions by hand. */
const inTransaction = new WeakSet<Session>();

/**
 * A client that runs every statement in a read-only transaction. Set per transaction, because poolers such as
 * pgbouncer reject startup options and use another server connection for each transaction.
 */
class ReadOnlyPostgres extends Postgres {
  override async _query(session: Session, statement: Statement): Promise<unknown> {
    if (isBegin(statement.sql)) {
      inTransaction.add(session);
      return super._query(session, { ...statement, sql: 'begin read only' });
    }
    if (isEnd(statement.sql)) inTransaction.delete(session);
    if (isEnd(statement.sql) || inTransaction.has(session)) return super._query(session, statement);
    await session.query('begin read only');
    try {
      return await super._query(session, statement);
    } finally {
      await session.query('rollback');
    }
  }
}

/** For `client` of knex, whose types ask for more than its own client class declares. */
export const readOnlyPostgres = ReadOnlyPostgres as unknown as typeof Knex.Client;
