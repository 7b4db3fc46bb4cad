import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestServers } from '@enterprise-access/db/testing';
import { Pool } from 'undici';
import { percentile, type Row, type Settings } from './measure.ts';

const SERVER = fileURLToPath(new URL('rest-server.ts', import.meta.url));
const ATTACK = fileURLToPath(new URL('flood-attack.ts', import.meta.url));

const CALLERS = 4;
/** Pause between two calls of a caller: measures latency, not throughput. */
const PAUSE_MS = 5;
const MAXIMUM_GROWTH_MB = 200;

/** Milliseconds that each call of ordinary callers took. */
async function timesOf(url: string, token: string, seconds: number): Promise<number[]> {
  const { origin, pathname, search } = new URL(url);
  const pool = new Pool(origin, { connections: CALLERS });
  const headers = { authorization: `JWT ${token}` };
  const times: number[] = [];
  const end = performance.now() + seconds * 1_000;
  const call = async () => {
    while (performance.now() < end) {
      const started = performance.now();
      const reply = await pool.request({ method: 'GET', path: pathname + search, headers });
      await reply.body.dump();
      if (reply.statusCode !== 200) throw new Error(`An ordinary call was answered with ${reply.statusCode}.`);
      times.push(performance.now() - started);
      await pause(PAUSE_MS);
    }
  };
  try {
    await Promise.all(Array.from({ length: CALLERS }, call));
  } finally {
    await pool.close();
  }
  return times;
}

async function megabytesOf(server: ChildProcess): Promise<number> {
  server.send('memory');
  const [{ rss }] = (await once(server, 'message')) as [{ rss: number }];
  return rss / 1_000_000;
}

async function flooded<T>(url: string, work: () => Promise<T>): Promise<T> {
  const attack = fork(ATTACK, [url]);
  await once(attack, 'message');
  try {
    return await work();
  } finally {
    attack.kill();
    await once(attack, 'exit');
  }
}

/**
 * Latency of ordinary callers, and memory, while anonymous callers post millions of tiny arrays and keep 250
 * unfinished bodies open.
 */
export async function flood(servers: TestServers, { seconds, rounds }: Settings): Promise<Row[]> {
  const { drop, url: databaseUrl } = await createTestDatabase(servers, 'postgres', 2);
  const server = fork(SERVER, [databaseUrl]);
  try {
    const [{ ours, token }] = (await once(server, 'message')) as [{ ours: string; token: string }];
    await timesOf(ours, token, 1);
    const before = await megabytesOf(server);
    const quiet: number[] = [];
    const busy: number[] = [];
    let highest = before;
    for (let round = 0; round < rounds; round += 1) {
      quiet.push(...(await timesOf(ours, token, seconds)));
      await flooded(ours, async () => {
        busy.push(...(await timesOf(ours, token, seconds)));
        highest = Math.max(highest, await megabytesOf(server));
      });
    }
    const [quietMs, busyMs] = [percentile(quiet, 0.99), percentile(busy, 0.99)];
    return [
      {
        name: 'p99 of other callers in a flood',
        ours: `${busyMs.toFixed(1)} ms`,
        reference: `${quietMs.toFixed(1)} ms without`,
        ratio: busyMs / quietMs,
        bar: { at: 'most', value: 3 },
      },
      {
        name: 'memory in a flood',
        ours: `${highest.toFixed(0)} MB`,
        reference: `${before.toFixed(0)} MB before`,
        ratio: highest / (before + MAXIMUM_GROWTH_MB),
        bar: { at: 'most', value: 1 },
      },
    ];
  } finally {
    server.kill();
    await drop();
  }
}
