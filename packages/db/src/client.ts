import knexFactory, { type Knex } from 'knex';
import { Instant } from './instant.ts';

/** A connection of either driver, as far as it is used here. */
export interface Session {
  query(sql: string): Promise<unknown>;
  readonly connection?: { readonly stream?: { destroy(): void } };
  destroy?(): void;
  /** How knex marks a connection that its pool must not hand out again. */
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

/** Settings of ours that travel in the configuration of knex. */
export interface ClientSettings {
  /** Zero for none. */
  readonly statementTimeoutMs: number;
  readonly onFailure: (error: unknown) => void;
  readonly onAnswer: () => void;
}

/** The server ends a statement a little earlier than we give up, so that it reports the timeout itself where it can. */
const GRACE_MS = 1_000;

function statementTimeout(session: Session): Error {
  const error = Object.assign(new Error('The database did not finish a statement in time.'), {
    code: 'STATEMENT_TIMEOUT',
  });
  // The statement may go on, and so this connection cannot be used for another one.
  session.__knex__disposed = error;
  if (session.connection?.stream) session.connection.stream.destroy();
  else session.destroy?.();
  return error;
}

/** Settles as the work does, or rejects when it takes too long. A COMMIT is bounded only here: no server setting does. */
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

    /** Drivers write milliseconds only: times that have more are handed to them as text. */
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
