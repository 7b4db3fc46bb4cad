import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Dialect } from '@enterprise-access/db';
import { startMariadb, startPostgres } from '@enterprise-access/db/servers';
import { startKafka } from '@enterprise-access/services';

/** A server that a test can stop and restart with the same port and data folder. */
export interface FragileServer {
  /** URL of a new database, or the brokers. */
  readonly address: string;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

type Start = (options: { dataDir: string; port?: number }) => Promise<{ port: number; stop(): Promise<void> }>;

async function fragile<S extends Awaited<ReturnType<Start>>>(
  start: (options: { dataDir: string; port?: number }) => Promise<S>,
  addressOf: (server: S) => Promise<string>,
): Promise<FragileServer> {
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-chaos-'));
  const dataDir = join(folder, 'data');
  let server = await start({ dataDir });
  const { port } = server;
  const address = await addressOf(server);
  return {
    address,
    stop: () => server.stop(),
    async start() {
      server = await start({ dataDir, port });
    },
    async remove() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A separate database server for one test. */
export const fragileDatabase = (dialect: Dialect): Promise<FragileServer> =>
  fragile(
    (options) =>
      dialect === 'postgres'
        ? startPostgres({ ...options, durable: false })
        : startMariadb({ ...options, durable: false }),
    async (server) => {
      const name = `chaos_${randomBytes(6).toString('hex')}`;
      const admin = connect({ url: server.url(dialect), poolSize: 1 });
      await admin.raw(`create database ${name}`);
      await admin.destroy();
      return server.url(name);
    },
  );

/** A separate broker for one test; killed instead of stopped. */
export const fragileKafka = (): Promise<FragileServer> =>
  fragile(
    (options) => startKafka({ ...options, durable: false }),
    async ({ brokers }) => brokers,
  );
