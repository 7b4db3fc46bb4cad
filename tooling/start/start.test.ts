import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quickStart } from '../test/children.ts';
import { demonstration } from './demonstration.ts';
import { DEVELOPMENT_SECRET, makeToken } from './token.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const RUN = 'course-v1:edX+DemoX+2T2026';

let dataDir: string;
const started: ChildProcess[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'start-test-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(dataDir, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('There is no free port.');
  return address.port;
}

/** What `npm start` runs, in a folder of its own. */
function start(port: number, workerPort = 0) {
  const child = spawn(process.execPath, [...quickStart, MAIN], {
    env: { PATH: process.env.PATH, DATA_DIR: dataDir, PORT: String(port), WORKER_PORT: String(workerPort) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  }
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  return {
    child,
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    exited,
    async ready(): Promise<void> {
      while (!output.includes('is ready.')) {
        if (child.exitCode !== null) throw new Error(`It ended before it was ready:\n${output}`);
        await sleep(50);
      }
    },
  };
}

/** Every process below one, from what the kernel knows. */
function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }];
      } catch {
        return [];
      }
    });
  const below = (of: number): number[] =>
    parents.filter(({ parent }) => parent === of).flatMap((each) => [each.pid, ...below(each.pid)]);
  return below(pid);
}

const isAlive = (pid: number): boolean => {
  try {
    // A zombie is gone; whoever adopts it reaps it.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

async function allGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) throw new Error(`Processes were left behind: ${pids.filter(isAlive).join(', ')}.`);
    await sleep(50);
  }
}

const learner = makeToken({
  roles: ['enterprise_learner'],
  enterprise: demonstration.customer,
  userId: 1_000,
  secret: DEVELOPMENT_SECRET,
});

async function redeem(url: string): Promise<{ status: number; uuid: string }> {
  const reply = await fetch(`${url}/api/v1/policy-redemption/${demonstration.spendPolicy}/redeem/`, {
    method: 'POST',
    headers: { authorization: `JWT ${learner}`, 'content-type': 'application/json' },
    body: JSON.stringify({ lms_user_id: 1_000, content_key: RUN }),
  });
  const { uuid } = (await reply.json()) as { uuid: string };
  return { status: reply.status, uuid };
}

test('Ctrl-C ends every process, and the second start finds the data of the first', { timeout: 400_000 }, async () => {
  const first = start(await freePort());
  await first.ready();
  const pids = descendants(first.child.pid ?? 0);
  expect(pids.length).toBeGreaterThan(3);
  const before = await redeem(first.url);
  expect(before.status).toBe(200);
  first.child.kill('SIGINT');
  expect(await first.exited).toEqual([0, null]);
  await allGone(pids);

  const second = start(await freePort());
  await second.ready();
  expect(await redeem(second.url)).toEqual(before);
});

test('killed outright it leaves no process behind, and the next start has the data', { timeout: 400_000 }, async () => {
  const first = start(await freePort());
  await first.ready();
  const pids = descendants(first.child.pid ?? 0);
  const before = await redeem(first.url);
  first.child.kill('SIGKILL');
  await first.exited;
  await allGone(pids);

  const second = start(await freePort());
  await second.ready();
  expect(await redeem(second.url)).toEqual(before);
});

test('an option that there is not is answered with what there is', () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, '--port', '1'], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stderr).toContain("Unknown option '--port'");
  expect(stderr).toContain('PORT, WORKER_PORT, HOST, DATA_DIR, DATABASE_URL');
});

test('a second start on the same folder is refused, and the first continues', { timeout: 400_000 }, async () => {
  const first = start(await freePort());
  await first.ready();
  const second = start(await freePort());
  expect(await second.exited).toEqual([1, null]);
  expect(second.output()).toMatch(/Another server \(process \d+\) works on .*\/postgres\./);
  expect((await redeem(first.url)).status).toBe(200);
});

test.each(['PORT', 'WORKER_PORT'])(
  'a port that is taken is named with %s, and nothing stays behind',
  { timeout: 240_000 },
  async (variable) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const attempt = variable === 'PORT' ? start(port) : start(await freePort(), port);
      const seen = new Set<number>();
      while (attempt.child.exitCode === null) {
        for (const pid of descendants(attempt.child.pid ?? 0)) seen.add(pid);
        await sleep(100);
      }
      expect(attempt.child.exitCode).toBe(1);
      expect(attempt.output()).toContain(`port ${port} is in use. Choose another one with ${variable}.`);
      expect(attempt.output()).not.toContain('    at ');
      await allGone([...seen]);
    } finally {
      taken.close();
    }
  },
);
