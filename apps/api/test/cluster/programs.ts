import { existsSync, globSync, readFileSync } from 'node:fs';
import { chown, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { through } from '@enterprise-access/db/servers';

const find = (...patterns: string[]): string | null => globSync(patterns).sort().at(-1) ?? null;

/** Paths of the cluster programs on Debian; null if not installed. */
export const programs = {
  mariadbd: find('/usr/sbin/mariadbd'),
  installMariadb: find('/usr/bin/mariadb-install-db'),
  galera: find('/usr/lib/galera/libgalera_smm.so', '/usr/lib*/galera-4/libgalera_smm.so'),
  rsync: find('/usr/bin/rsync'),
  postgres: find('/usr/lib/postgresql/*/bin/postgres'),
};

export const hasGalera = programs.mariadbd !== null && programs.galera !== null && programs.rsync !== null;
export const hasPostgres = programs.postgres !== null;

interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** As root, run servers as another user: PostgreSQL refuses root, and Galera's state transfer fails as root. */
function accountOf(name: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}

export const asUser = (name: string, program: string, args: readonly string[]) => {
  const account = accountOf(name);
  const prefix = account ? ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'] : [];
  return through(prefix, { program, args });
};

export async function folderFor(name: string, path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const account = accountOf(name);
  if (account) await chown(path, account.uid, account.gid);
}

/** Kills a server like a power failure: the process in its pid file. */
export async function killNow(pidFile: string): Promise<void> {
  const pid = Number.parseInt(await readFile(pidFile, 'utf8'), 10);
  if (!Number.isInteger(pid) || pid <= 1) throw new Error(`No process in ${pidFile}.`);
  process.kill(pid, 'SIGKILL');
}

export const isInitialized = (folder: string, file: string): boolean => existsSync(join(folder, file));
