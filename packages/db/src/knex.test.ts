import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { connect, dialectOf } from './knex.ts';
import { freePort } from './servers/index.ts';
import { createTestDatabase } from './testing.ts';
import { waitForDatabase } from './wait.ts';

const dialects = (['postgres', 'mysql'] as const).filter((dialect) => !('skipped' in inject('servers')[dialect]));
const MIGRATE = new URL('../../../apps/api/src/migrate.ts', import.meta.url).pathname;

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

describe.each(dialects)('a pool on %s', (dialect) => {
  const database = async () => {
    const made = await createTestDatabase(inject('servers'), dialect, 2, { migrated: false });
    stops.push(made.drop);
    return made;
  };

  test('reads what is committed, and nothing can be written where only looking is allowed', async () => {
    const { db, url } = await database();
    await db.schema.createTable('t', (table) => void table.integer('n'));
    const [level] =
      dialect === 'postgres'
        ? (await db.raw('show transaction_isolation')).rows
        : (await db.raw("show variables where variable_name in ('tx_isolation', 'transaction_isolation')"))[0];
    expect(Object.values(level).join(' ')).toMatch(/read.committed/i);

    const looking = connect({ url, poolSize: 2, readOnly: true });
    stops.unshift(() => looking.destroy());
    expect(dialectOf(looking)).toBe(dialect);
    expect(await looking('t')).toEqual([]);
    const code = dialect === 'postgres' ? '25006' : 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION';
    await expect(looking('t').insert({ n: 1 })).rejects.toMatchObject({ code });
    await expect(looking.transaction((trx) => trx('t').insert({ n: 1 }))).rejects.toMatchObject({ code });
    // A refusal leaves the connection as it was.
    expect(await looking.transaction((trx) => trx('t').count({ n: '*' }))).toEqual([{ n: 0 }]);
    expect(await db('t')).toEqual([]);
  });

  test('a database that comes up late is waited for, one that stays away is not waited for longer than agreed', async () => {
    const { url } = await database();
    const port = await freePort();
    const late = new URL(url);
    const target = Number(late.port);
    late.port = String(port);
    const db = connect({ url: late.href, poolSize: 1 });
    stops.unshift(() => db.destroy());
    const errors: unknown[] = [];
    await expect(waitForDatabase(db, { patienceMs: 0 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    const open = new Set<Socket>();
    const proxy = createServer((socket) => {
      const behind = createConnection(target, '127.0.0.1');
      for (const one of [socket, behind]) {
        open.add(one);
        one.on('error', () => undefined);
      }
      socket.pipe(behind).pipe(socket);
    });
    // It comes up when it has been missed.
    await waitForDatabase(db, {
      patienceMs: 20_000,
      onWait: (error) => {
        errors.push(error);
        proxy.listen(port, '127.0.0.1');
      },
    });
    expect(errors).toHaveLength(1);
    stops.push(() => {
      for (const socket of open) socket.destroy();
      proxy.close();
    });
  });

  test('a wrong password fails immediately', async () => {
    const wrong = new URL((await database()).url);
    wrong.password = 'wrong';
    const db = connect({ url: wrong.href, poolSize: 1 });
    stops.unshift(() => db.destroy());
    const code = dialect === 'postgres' ? '28P01' : 'ER_ACCESS_DENIED_ERROR';
    await expect(waitForDatabase(db, { patienceMs: 60_000 })).rejects.toMatchObject({ code });
  });
});

test.runIf(dialects.includes('mysql'))(
  'a server that refuses how we prepare a session ends the migration with its message, and the process ends',
  async () => {
    const { url, drop } = await createTestDatabase(inject('servers'), 'mysql', 1, { migrated: false });
    stops.push(drop);
    // The real server, to which one of our statements is not known, as one was not to MySQL 8.
    const behind = Number(new URL(url).port);
    const proxy = createServer((socket) => {
      const real = createConnection(behind, '127.0.0.1');
      for (const one of [socket, real]) one.on('error', () => undefined);
      socket.on('data', (data) => {
        real.write(
          Buffer.from(data.toString('latin1').replace('TRANSACTION ISOLATION', 'TRANSACTION ISOLATIOM'), 'latin1'),
        );
      });
      socket.on('end', () => real.end());
      real.pipe(socket);
    });
    const port = await freePort();
    proxy.listen(port, '127.0.0.1');
    stops.unshift(() => proxy.close());
    const through = new URL(url);
    through.port = String(port);
    const child = spawn(process.execPath, [MIGRATE], {
      env: { PATH: process.env.PATH, DATABASE_URL: through.href },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [errors, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    expect({ code, errors }).toEqual({ code: 1, errors: expect.stringContaining('ISOLATIOM') });
  },
);
