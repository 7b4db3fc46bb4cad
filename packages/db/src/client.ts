import knexFactory, { type Knex } from 'knex';
import { Instant } from './instant.ts';

/** The part of either driver's connection that is used here. */
export interface Session {
  query(sql: string): Promise<unknown>;
  readonly connection?: { readonly stream?: { destroy(): void } };
  destroy?(): void;
  /** Set to make the pool of knex drop the connection. */
  __knex__disposed?: Error;
}

export interface Statement {
  readonly sql: string;
}

interface DialectClient {
  readonly config: object;
  acquireConnection(): Promise<unknown>;
  prepBindings(bindings?: readonly unknown[]): unknown[] | undefined;
  _query(session: Session, statement: Statement): Promise<unknown>;
}

type ClientClass = new (config: object) => DialectClient;

/** Our own settings inside the knex configuration. */
export interface ClientSettings {
  /** Zero means no timeout. */
  readonly statementTimeoutMs: number;
  readonly onFailure: (error: unknown) => void;
  readonly onAnswer: () => void;
}

/** Our timeout is longer than the server's by this, so that the server reports the timeout if it can. */
const GRACE_MS = 1_000;

function statementTimeout(session: Session): Error {
  const error = Object.assign(new Error('The database did not finish a statement in time.'), {
    code: 'STATEMENT_TIMEOUT',
  });
  // The statement may still be running, so the connection cannot be reused.
  session.__knex__disposed = error;
  if (session.connection?.stream) session.connection.stream.destroy();
  else session.destroy?.();
  return error;
}

/** Applies a timeout to work. For a COMMIT this is the only timeout, because servers have no setting for it. */
function bounded<T>(work: Promise<T>, session: Session, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(statementTimeout(session)), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const isBegin = (sql: string): boolean => /^begin\s*;?$/i.test(sql);

// knex does not export the classes of its dialects; an instance without a connection has one.
const classOf = (client: 'pg' | 'mysql2'): ClientClass => knexFactory({ client }).client.constructor;

function clientWith(Base: ClientClass, isPostgres: boolean): ClientClass {
  return class extends Base {
    override async acquireConnection(): Promise<unknown> {
      try {
        return await super.acquireConnection();
      } catch (error) {
        (this.config as ClientSettings).onFailure(error);
        throw error;
      }
    }

    /** The drivers send only milliseconds, so times with microseconds are passed as text. */
    override prepBindings(bindings?: readonly unknown[]): unknown[] | undefined {
      const written = ({ exact }: Instant) => (isPostgres ? exact : exact.slice(0, -1).replace('T', ' '));
      return super.prepBindings(bindings)?.map((each) => (each instanceof Instant ? written(each) : each));
    }

    override async _query(session: Session, statement: Statement): Promise<unknown> {
      const { statementTimeoutMs, onFailure, onAnswer } = this.config as ClientSettings;
      // Per transaction and not per connection: pgbouncer refuses settings at the start of a connection.
      const asked =
        isPostgres && statementTimeoutMs > 0 && isBegin(statement.sql)
          ? { ...statement, sql: `begin; set local statement_timeout = ${statementTimeoutMs}` }
          : statement;
      try {
        const work = super._query(session, asked);
        const result = await (statementTimeoutMs > 0 ? bounded(work, session, statementTimeoutMs + GRACE_MS) : work);
        onAnswer();
        return result;
      } catch (error) {
        onFailure(error);
        throw error;
      }
    }
  };
}

export const Postgres = clientWith(classOf('pg'), true);

/** For `client` of knex, whose types ask for more than its own client class declares. */
export const postgresClient = Postgres as unknown as typeof Knex.Client;
export const mysqlClient = clientWith(classOf('mysql2'), false) as unknown as typeof Knex.Client;
