import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { connect } from '../knex.ts';
import { startPostgres } from './postgres.ts';

test('a first start that was killed while the cluster was made does not spoil the next', {
  timeout: 60_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postgres-test-'));
  const dataDir = join(folder, 'postgres');
  try {
    const program = `import { startPostgres } from ${JSON.stringify(new URL('postgres.ts', import.meta.url).href)};
      await startPostgres({ dataDir: ${JSON.stringify(dataDir)} });`;
    const attempt = spawn(process.execPath, ['--input-type=module', '-e', program], {
      detached: true,
      stdio: 'ignore',
    });
    const isBegun = async () => (await readdir(folder, { recursive: true })).some((name) => /PG_VERSION$/.test(name));
    while (!(await isBegun())) await sleep(5);
    process.kill(-(attempt.pid as number), 'SIGKILL');
    await once(attempt, 'exit');

    const server = await startPostgres({ dataDir, durable: false });
    const db = connect({ url: server.url('postgres'), poolSize: 1 });
    expect((await db.raw('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await db.destroy();
    await server.stop();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
