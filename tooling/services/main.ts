import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { connect } from '@enterprise-access/db';
import { findMariadb, startMariadb, startPostgres } from '@enterprise-access/db/servers';
import { kafkaMissing, startKafka } from './kafka.ts';
import { memcachedMissing, startMemcached } from './memcached.ts';
import { registryMissing, startRegistry } from './registry.ts';

const USAGE = `Starts the real servers of production on this machine and prints where they are. Ctrl-C stops them.

  npm run services -- [options]

  --data FOLDER           where they keep their data (default .data/services)
  --mariadb-port N        and --postgres-port, --memcached-port, --kafka-port, --registry-port: free ports by default
  --only NAMES            some of them, separated by commas: mariadb,postgres,memcached,kafka,registry

Kafka and the registry are installed by "npm run services:install", MariaDB and memcached by the system's packages.
`;

interface Running {
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

interface Service {
  readonly missing: () => string | null;
  readonly start: (port: { port?: number }) => Promise<Running>;
}

const DATABASE = 'enterprise_access';

/** Creates a database unless it exists. */
async function makeDatabase(url: string, name: string): Promise<void> {
  const admin = connect({ url, poolSize: 1 });
  try {
    await admin.raw(`create database ${name}`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code !== '42P04' && code !== 'ER_DB_CREATE_EXISTS') throw error;
  } finally {
    await admin.destroy();
  }
}

const services = (data: string): Readonly<Record<string, Service>> => ({
  mariadb: {
    missing: () => (findMariadb() === null ? 'mariadbd is not installed' : null),
    async start(port) {
      const server = await startMariadb({ dataDir: resolve(data, 'mariadb'), ...port });
      await makeDatabase(server.url('mysql'), DATABASE);
      return { environment: { DATABASE_URL: server.url(DATABASE) }, stop: server.stop };
    },
  },
  postgres: {
    missing: () => null,
    async start(port) {
      const server = await startPostgres({ dataDir: resolve(data, 'postgres'), ...port });
      await makeDatabase(server.url('postgres'), 'enterprise_access_jobs');
      return { environment: { JOBS_DATABASE_URL: server.url('enterprise_access_jobs') }, stop: server.stop };
    },
  },
  memcached: {
    missing: memcachedMissing,
    async start(port) {
      const server = await startMemcached({ logFile: resolve(data, 'memcached.log'), ...port });
      return { environment: { MEMCACHED_SERVERS: server.servers }, stop: server.stop };
    },
  },
  kafka: {
    missing: kafkaMissing,
    async start(port) {
      const server = await startKafka({ dataDir: resolve(data, 'kafka'), ...port });
      return { environment: { KAFKA_BROKERS: server.brokers }, stop: server.stop };
    },
  },
  registry: {
    missing: registryMissing,
    async start(port) {
      // Stored with Kafka's data, because its messages refer to schemas by the registry's ids.
      const server = await startRegistry({
        dataFile: resolve(data, 'registry'),
        logFile: resolve(data, 'registry.log'),
        ...port,
      });
      return { environment: { SCHEMA_REGISTRY_URL: server.url }, stop: server.stop };
    },
  },
});

function portOf(name: string, text: string | undefined): { port?: number } {
  if (text === undefined) return {};
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`--${name}-port ${text} is no port.`);
  return { port };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      data: { type: 'string', default: '.data/services' },
      only: { type: 'string' },
      'mariadb-port': { type: 'string' },
      'postgres-port': { type: 'string' },
      'memcached-port': { type: 'string' },
      'kafka-port': { type: 'string' },
      'registry-port': { type: 'string' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const known = services(values.data);
  const wanted = values.only?.split(',') ?? Object.keys(known);
  const unknown = wanted.find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) throw new Error(`There is no service ${unknown}.\n\n${USAGE}`);

  const running: Promise<Running>[] = [];
  let stopping: Promise<unknown> | undefined;
  const stop = () => {
    stopping ??= Promise.allSettled(running.map(async (service) => (await service).stop()));
    return stopping;
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void stop().then(() => process.exit(0)));
  }
  try {
    for (const name of wanted) {
      const missing = known[name]?.missing();
      if (missing) process.stderr.write(`# without ${name}: ${missing}\n`);
      else if (known[name])
        running.push(known[name].start(portOf(name, values[`${name}-port` as keyof typeof values] as string)));
    }
    for (const { environment } of await Promise.all(running)) {
      for (const [name, value] of Object.entries(environment)) process.stdout.write(`export ${name}='${value}'\n`);
    }
    process.stderr.write('# Ctrl-C stops them.\n');
  } catch (error) {
    await stop();
    throw error;
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
