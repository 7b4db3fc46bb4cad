import { join } from 'node:path';
import { connect } from '@enterprise-access/db';
import { freePort, run, supervised } from '@enterprise-access/db/servers';
import { asUser, folderFor, killNow, programs } from './programs.ts';

const USER = 'postgres';

async function query(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const db = connect({ url, poolSize: 1 });
  try {
    return (await db.raw(sql)).rows;
  } finally {
    await db.destroy();
  }
}

const answers = (url: string, sql: string) => () =>
  query(url, sql).then(
    (rows) => rows.length > 0,
    () => false,
  );

/** A primary with one synchronous replica, which a failover promotes. */
export async function startPostgresPair(folder: string) {
  const { postgres } = programs;
  if (postgres === null) throw new Error('PostgreSQL is not installed.');
  const program = (name: string) => join(postgres, '..', name);
  const serve = (dataDir: string, port: number) =>
    supervised(
      asUser(USER, postgres, [
        '-D',
        dataDir,
        ...['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'max_connections=100'].flatMap(
          (setting) => ['-c', setting],
        ),
      ]),
      { logFile: `${dataDir}.log`, stopSignal: 'SIGINT' },
    );
  const [first, second] = [await freePort(), await freePort()];
  const urlOf = (port: number, database: string) => `postgres://${USER}@127.0.0.1:${port}/${database}`;
  const [primaryDir, replicaDir] = [join(folder, 'primary'), join(folder, 'replica')];
  for (const each of [primaryDir, replicaDir]) await folderFor(USER, each);
  const settings = ['--auth=trust', `--username=${USER}`, '--encoding=UTF8', '--locale=C'];
  await run(asUser(USER, program('initdb'), ['-D', primaryDir, ...settings]));
  const primary = serve(primaryDir, first);
  await primary.ready(answers(urlOf(first, USER), 'select 1'), 30_000);
  await query(urlOf(first, USER), 'create database access');
  const source = ['-h', '127.0.0.1', '-p', String(first), '-U', USER];
  await run(
    asUser(USER, program('pg_basebackup'), ['-D', replicaDir, '-R', '-X', 'stream', '--checkpoint=fast', ...source]),
  );
  const replica = serve(replicaDir, second);
  const follows = "select 1 from pg_stat_replication where state = 'streaming'";
  await replica.ready(answers(urlOf(first, USER), follows), 30_000);
  await query(urlOf(first, USER), "alter system set synchronous_standby_names = '*'");
  await query(urlOf(first, USER), "alter system set synchronous_commit = 'remote_apply'");
  await query(urlOf(first, USER), 'select pg_reload_conf()');
  const isSynchronous = "select 1 from pg_stat_replication where sync_state = 'sync'";
  await primary.ready(answers(urlOf(first, USER), isSynchronous), 30_000);
  return {
    urls: [urlOf(first, 'access'), urlOf(second, 'access')] as const,
    async failOver() {
      await killNow(join(primaryDir, 'postmaster.pid'));
      await query(urlOf(second, USER), 'select pg_promote(true, 30)');
    },
    killReplica: () => killNow(join(replicaDir, 'postmaster.pid')),
    /** What an operator does when no replica is left. */
    async goOnAlone() {
      await query(urlOf(first, USER), 'alter system reset synchronous_standby_names');
      await query(urlOf(first, USER), 'select pg_reload_conf()');
    },
    async stop() {
      await replica.stop();
      await primary.stop();
    },
  };
}
