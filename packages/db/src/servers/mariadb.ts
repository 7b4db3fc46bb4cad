import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import mysql from 'mysql2/promise';
import { freePort } from './free-port.ts';
import { stopPrevious } from './previous.ts';
import { type RunningServer, run, supervised } from './supervised.ts';

export interface MariadbOptions {
  readonly dataDir: string;
  readonly port?: number;
  /** False disables fsync, for tests. */
  readonly durable?: boolean;
  /** Files for TLS; unencrypted connections are then refused. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

const find = (name: string): string | null =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/libexec', '/usr/local/sbin']
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path)) ?? null;

const findInstaller = (): string | null => find('mariadb-install-db');

/** Path of the MariaDB server program, or null if none that can create a data folder is installed. */
export const findMariadb = (): string | null => (findInstaller() === null ? null : find('mariadbd'));

const USER = 'enterprise_access';

/** Starts the installed MariaDB on the loopback interface, with its own data folder. */
export async function startMariadb(options: MariadbOptions): Promise<RunningServer> {
  const program = findMariadb();
  if (program === null) throw new Error('mariadbd is not installed.');
  const dataDir = resolve(options.dataDir);
  const passwordFile = `${dataDir}.password`;
  // Running as root is safe here because only we use the folder.
  const user = process.getuid?.() === 0 ? ['--user=root'] : [];
  await mkdir(dirname(dataDir), { recursive: true });
  if (!existsSync(join(dataDir, 'mysql'))) await initialize(dataDir, passwordFile, user);
  const pidFile = `${dataDir}.pid`;
  await stopPrevious({ pidFile, dataDir, signal: 'SIGTERM' });
  const password = (await readFile(passwordFile, 'utf8')).trim();
  const port = options.port ?? (await freePort());
  // Socket paths are limited to 107 characters, so use a short temporary folder.
  const sockets = await mkdtemp(join(tmpdir(), 'ea-mariadb-'));
  const initFile = `${dataDir}.init.sql`;
  await writeFile(
    initFile,
    [
      `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${password}';`,
      `GRANT ALL PRIVILEGES ON *.* TO '${USER}'@'%' WITH GRANT OPTION;`,
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
  const server = supervised(
    {
      program,
      args: [
        '--no-defaults',
        ...user,
        `--datadir=${dataDir}`,
        `--port=${port}`,
        `--socket=${join(sockets, 's')}`,
        `--pid-file=${pidFile}`,
        // A starting server removes temporary tables of other servers in the same folder.
        `--tmpdir=${sockets}`,
        `--init-file=${initFile}`,
        '--bind-address=127.0.0.1',
        '--skip-name-resolve',
        '--character-set-server=utf8mb4',
        '--collation-server=utf8mb4_unicode_ci',
        '--max-connections=300',
        '--performance-schema=OFF',
        '--innodb-buffer-pool-size=256M',
        ...(options.durable === false
          ? [
              '--innodb-flush-log-at-trx-commit=0',
              '--innodb-flush-method=nosync',
              '--innodb-doublewrite=OFF',
              '--skip-log-bin',
              // Without a file of its own for each table, of which each is flushed: schemas are made ten times as fast.
              '--innodb-file-per-table=OFF',
              '--sync-frm=OFF',
            ]
          : []),
        ...(options.tls
          ? [`--ssl-cert=${options.tls.cert}`, `--ssl-key=${options.tls.key}`, '--require-secure-transport=ON']
          : []),
      ],
    },
    { logFile: `${dataDir}.log`, stopSignal: 'SIGTERM' },
  );
  const url = (database: string) => `mysql://${USER}:${password}@127.0.0.1:${port}/${database}`;
  await server.ready(() => answers(port, password, options.tls !== undefined), 60_000);
  return {
    kind: 'mariadb',
    port,
    url,
    async stop() {
      await server.stop();
      await rm(sockets, { recursive: true, force: true });
    },
  };
}

async function initialize(dataDir: string, passwordFile: string, user: readonly string[]): Promise<void> {
  const program = findInstaller();
  if (program === null) throw new Error('mariadb-install-db is not installed.');
  await rm(dataDir, { recursive: true, force: true });
  await mkdir(dataDir, { mode: 0o700 });
  await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 });
  await run({
    program,
    args: [
      '--no-defaults',
      ...user,
      `--datadir=${dataDir}`,
      '--skip-test-db',
      '--auth-root-authentication-method=normal',
    ],
  });
}

async function answers(port: number, password: string, isSecure: boolean): Promise<boolean> {
  try {
    const connection = await mysql.createConnection({
      host: '127.0.0.1',
      port,
      user: USER,
      password,
      connectTimeout: 2_000,
      ...(isSecure ? { ssl: { rejectUnauthorized: false } } : {}),
    });
    await connection.end();
    return true;
  } catch {
    return false;
  }
}
