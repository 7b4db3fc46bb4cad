import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@enterprise-access/db';
import { freePort, supervised } from '@enterprise-access/db/servers';
import { createTestDatabase, type TestDatabase } from '@enterprise-access/db/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';

const PROGRAM = '/usr/sbin/pgbouncer';

describe.runIf(existsSync(PROGRAM))('through pgbouncer that gives each transaction another connection', () => {
  let database: TestDatabase;
  let folder: string;
  let url: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    database = await createTestDatabase(inject('servers'), 'postgres', 3);
    folder = await mkdtemp(join(tmpdir(), 'pgbouncer-test-'));
    // It gives up the rights of root, and must read its files then.
    await chmod(folder, 0o755);
    const behind = new URL(database.url);
    const port = await freePort();
    const name = behind.pathname.slice(1);
    const password = decodeURIComponent(behind.password);
    await writeFile(join(folder, 'users.txt'), `"${behind.username}" "${password}"\n`, { mode: 0o644 });
    await writeFile(
      join(folder, 'pgbouncer.ini'),
      [
        '[databases]',
        `${name} = host=${behind.hostname} port=${behind.port}`,
        '[pgbouncer]',
        'listen_addr = 127.0.0.1',
        `listen_port = ${port}`,
        'unix_socket_dir =',
        'auth_type = scram-sha-256',
        `auth_file = ${join(folder, 'users.txt')}`,
        'pool_mode = transaction',
        'default_pool_size = 2',
        '',
      ].join('\n'),
    );
    const user = process.getuid?.() === 0 ? ['--user=nobody'] : [];
    const server = supervised(
      { program: PROGRAM, args: [...user, join(folder, 'pgbouncer.ini')] },
      { logFile: join(folder, 'log'), stopSignal: 'SIGTERM' },
    );
    stop = server.stop;
    behind.port = String(port);
    url = behind.href;
    const db = connect({ url, poolSize: 1 });
    await server.ready(
      () =>
        db.raw('select 1').then(
          () => true,
          () => false,
        ),
      10_000,
    );
    await db.destroy();
  });
  afterAll(async () => {
    await stop();
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  test('reads work, writes are refused, and other connections can write', async () => {
    const [looking, working] = [connect({ url, poolSize: 4, readOnly: true }), connect({ url, poolSize: 4 })];
    const row = (consumer: string) => ({ consumer, message_id: 'm', received: new Date() });
    try {
      for (let round = 0; round < 10; round += 1) {
        const looks = Array.from({ length: 4 }, () => looking('inbox').count({ n: '*' }));
        const writes = [1, 2, 3].map((n) => working('inbox').insert(row(`${round}-${n}`)));
        const refused = looking('inbox').insert(row(`refused-${round}`));
        await Promise.all([...looks, ...writes, expect(refused).rejects.toMatchObject({ code: '25006' })]);
      }
      expect(await working('inbox').where('consumer', 'like', 'refused%')).toEqual([]);
      expect(await working('inbox').count({ n: '*' })).toEqual([{ n: 30 }]);
    } finally {
      await Promise.all([looking.destroy(), working.destroy()]);
    }
  });
});
