import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@enterprise-access/db';
import { freePort, run, supervised } from '@enterprise-access/db/servers';
import { asUser, folderFor, killNow, programs } from './programs.ts';

const USER = 'enterprise_access';
const PASSWORD = 'cluster';

const urlOf = (port: number, database: string) => `mysql://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;

async function isSynced(port: number): Promise<boolean> {
  const db = connect({ url: urlOf(port, 'mysql'), poolSize: 1 });
  try {
    const [rows] = (await db.raw("show status like 'wsrep_local_state_comment'")) as [{ Value: string }[]];
    return rows[0]?.Value === 'Synced';
  } catch {
    return false;
  } finally {
    await db.destroy();
  }
}

/** A MariaDB cluster of three nodes in one folder, each with ports of its own. */
export async function startGalera(folder: string) {
  const { mariadbd, installMariadb, galera } = programs;
  if (mariadbd === null || installMariadb === null || galera === null) throw new Error('Galera is not installed.');
  const ports = await Promise.all(
    Array.from({ length: 3 }, async () => ({
      sql: await freePort(),
      group: await freePort(),
      state: await freePort(),
      increment: await freePort(),
    })),
  );
  const members = ports.map(({ group }) => `127.0.0.1:${group}`).join(',');
  const initFile = join(folder, 'init.sql');
  await writeFile(
    initFile,
    `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${PASSWORD}';\nGRANT ALL PRIVILEGES ON *.* TO '${USER}'@'%' WITH GRANT OPTION;\nCREATE DATABASE IF NOT EXISTS access;\n`,
    { mode: 0o644 },
  );
  const nodes: { url: string; kill(): Promise<void>; stop(): Promise<void> }[] = [];
  for (const [index, { sql, group, state, increment }] of ports.entries()) {
    const dataDir = join(folder, `node${index}`);
    const temporary = join(folder, `tmp${index}`);
    for (const each of [dataDir, temporary]) await folderFor('mysql', each);
    const isFirst = index === 0;
    if (isFirst)
      await run(
        asUser('mysql', '/usr/bin/env', [
          // Another server that starts removes temporary tables in a folder that both use.
          `TMPDIR=${temporary}`,
          installMariadb,
          '--no-defaults',
          `--datadir=${dataDir}`,
          '--skip-test-db',
          '--auth-root-authentication-method=normal',
        ]),
      );
    const pidFile = join(temporary, 'pid');
    const server = supervised(
      asUser('mysql', mariadbd, [
        '--no-defaults',
        `--datadir=${dataDir}`,
        `--tmpdir=${temporary}`,
        `--port=${sql}`,
        `--socket=${join(temporary, 's')}`,
        `--pid-file=${pidFile}`,
        '--bind-address=127.0.0.1',
        '--skip-name-resolve',
        '--character-set-server=utf8mb4',
        '--performance-schema=OFF',
        '--innodb-buffer-pool-size=64M',
        '--binlog-format=ROW',
        '--default-storage-engine=InnoDB',
        '--innodb-autoinc-lock-mode=2',
        '--innodb-flush-log-at-trx-commit=2',
        '--wsrep-on=ON',
        `--wsrep-provider=${galera}`,
        `--wsrep-cluster-address=gcomm://${isFirst ? '' : members}`,
        '--wsrep-cluster-name=access',
        `--wsrep-node-address=127.0.0.1:${group}`,
        '--wsrep-sst-method=rsync',
        `--wsrep-sst-receive-address=127.0.0.1:${state}`,
        `--wsrep-provider-options=base_host=127.0.0.1;base_port=${group};gmcast.listen_addr=tcp://127.0.0.1:${group};ist.recv_addr=127.0.0.1:${increment};gcache.size=32M`,
        ...(isFirst ? [`--init-file=${initFile}`] : []),
      ]),
      { logFile: join(folder, `node${index}.log`), stopSignal: 'SIGTERM' },
    );
    await server.ready(() => isSynced(sql), 90_000);
    nodes.push({
      url: urlOf(sql, 'access'),
      kill: () => killNow(pidFile),
      stop: server.stop,
    });
  }
  return {
    nodes,
    async stop() {
      for (const node of nodes.toReversed()) await node.stop();
    },
  };
}
