import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Database } from './knex.ts';
import { migrate } from './migrate.ts';
import { findMariadb, type RunningServer, startMariadb, startPostgres } from './servers/index.ts';
import { createPool, createPooled, giveBack, lease, type MysqlServer } from './testing-pool.ts';
import type { Dialect } from './url.ts';

// A production process has no way to turn the trail off: the index of the package does not export it.
export { leaveUnrecorded } from './audit.ts';

/** Test servers per dialect: the admin URL, or why there is none. */
export type TestServers = Readonly<Record<Dialect, { readonly adminUrl: string } | { readonly skipped: string }>>;

const TEMPLATE = 'enterprise_access_template';
const ADMIN_DATABASE = { postgres: 'postgres', mysql: 'mysql' } as const;

const withDatabase = (adminUrl: string, name: string): string => {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
};

/** Starts what the tests need; a server given by `TEST_POSTGRES_URL` or `TEST_MYSQL_URL` is used instead of our own. */
export async function startTestServers(): Promise<{ servers: TestServers; stop: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-test-'));
  const running: RunningServer[] = [];
  const started = async (server: Promise<RunningServer>, database: string) => {
    const ready = await server;
    running.push(ready);
    return { adminUrl: ready.url(database) };
  };
  const openPostgres = async () => {
    const postgres = process.env.TEST_POSTGRES_URL
      ? { adminUrl: process.env.TEST_POSTGRES_URL }
      : await started(
          startPostgres({ dataDir: join(folder, 'postgres'), durable: false, maxConnections: 300 }),
          ADMIN_DATABASE.postgres,
        );
    await makeTemplate(postgres.adminUrl);
    return postgres;
  };
  const openMysql = async () => {
    if (!process.env.TEST_MYSQL_URL && findMariadb() === null)
      return { skipped: 'mariadbd is not installed and TEST_MYSQL_URL is not set' };
    const mysql = process.env.TEST_MYSQL_URL
      ? { adminUrl: process.env.TEST_MYSQL_URL }
      : await started(startMariadb({ dataDir: join(folder, 'mariadb'), durable: false }), ADMIN_DATABASE.mysql);
    await asAdmin(mysql.adminUrl, createPool);
    return mysql;
  };
  const [postgres, mysql] = await Promise.all([openPostgres(), openMysql()]);
  return {
    servers: { postgres, mysql },
    async stop() {
      await Promise.all(running.map((server) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Migrates a template database once; test databases are copies of it. */
async function makeTemplate(adminUrl: string): Promise<void> {
  const admin = connect({ url: adminUrl, poolSize: 1 });
  await admin.raw(`drop database if exists ${TEMPLATE}`);
  await admin.raw(`create database ${TEMPLATE}`);
  await admin.destroy();
  const template = connect({ url: withDatabase(adminUrl, TEMPLATE), poolSize: 1 });
  await migrate(template);
  await template.destroy();
}

export interface TestDatabase {
  readonly db: Database;
  readonly url: string;
  readonly drop: () => Promise<void>;
}

async function asAdmin<T>(adminUrl: string, work: (admin: Database) => Promise<T>): Promise<T> {
  const admin = connect({ url: adminUrl, poolSize: 1 });
  try {
    return await work(admin);
  } finally {
    await admin.destroy();
  }
}

/** A migrated database on MySQL: one from the pool, or a new one. */
async function leaseTestDatabase(adminUrl: string, poolSize: number): Promise<TestDatabase> {
  const server: MysqlServer = { adminUrl, urlOf: (name) => withDatabase(adminUrl, name) };
  const pooled = (await asAdmin(adminUrl, lease)) ?? (await createPooled(server));
  const url = server.urlOf(pooled.name);
  const db = connect({ url, poolSize });
  return {
    db,
    url,
    async drop() {
      await db.destroy();
      await giveBack(server, pooled);
    },
  };
}

/** Creates a separate test database in well under a second; migrated by default. */
export async function createTestDatabase(
  servers: TestServers,
  dialect: Dialect,
  poolSize = 10,
  { migrated = true } = {},
): Promise<TestDatabase> {
  const server = servers[dialect];
  if ('skipped' in server) throw new Error(server.skipped);
  if (migrated && dialect === 'mysql') return leaseTestDatabase(server.adminUrl, poolSize);
  const name = `test_${randomBytes(8).toString('hex')}`;
  const url = withDatabase(server.adminUrl, name);
  const admin = connect({ url: server.adminUrl, poolSize: 1 });
  const isCopy = migrated && dialect === 'postgres';
  await admin.raw(isCopy ? `create database ${name} template ${TEMPLATE}` : `create database ${name}`);
  await admin.destroy();
  const db = connect({ url, poolSize });
  if (migrated && !isCopy) await migrate(db);
  return {
    db,
    url,
    async drop() {
      await db.destroy();
      const cleaner = connect({ url: server.adminUrl, poolSize: 1 });
      await cleaner.raw(dialect === 'postgres' ? `drop database ${name} with (force)` : `drop database ${name}`);
      await cleaner.destroy();
    },
  };
}
