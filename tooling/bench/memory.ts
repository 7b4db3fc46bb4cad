import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run } from '@enterprise-access/db/servers';
import type { TestServers } from '@enterprise-access/db/testing';
import { startBusServers } from './bus-servers.ts';
import type { Row } from './measure.ts';
import { makeWorkerSetting } from './worker-setting.ts';

const MAIN = fileURLToPath(new URL('../../apps/worker/src/main.ts', import.meta.url));
const BAR_MB = 150;
const IDLE_MS = 20_000;

/** Resident memory of a process in MB; Linux only. */
async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/u.exec(status)?.[1]) / 1_024;
}

async function measure(servers: TestServers, what: string, more: Readonly<Record<string, string>>): Promise<Row> {
  const setting = await makeWorkerSetting(servers, 'postgres', more);
  const worker = fork(MAIN, { env: { PATH: process.env.PATH, ...setting.variables } });
  const ended = once(worker, 'exit');
  try {
    await Promise.race([once(worker, 'message'), ended]);
    await sleep(IDLE_MS);
    const used = await residentMb(worker.pid ?? 0);
    return {
      name: `memory: idle worker, ${what}`,
      ours: `${used.toFixed(0)} MB`,
      reference: `${BAR_MB} MB`,
      ratio: used / BAR_MB,
      bar: { at: 'most', value: 1 },
    };
  } finally {
    worker.kill('SIGTERM');
    await ended;
    await setting.stop();
  }
}

/** Fills the compile cache like the image build does: without variables, the worker loads its code and exits. */
const compile = (folder: string): Promise<void> =>
  run({
    program: 'sh',
    args: ['-c', `! env -i NODE_COMPILE_CACHE=${folder} ${process.execPath} ${MAIN} 2>/dev/null`],
  });

/** Memory of an idle worker from the image. */
export async function memory(servers: TestServers): Promise<Row[]> {
  if (process.platform !== 'linux') {
    process.stderr.write('  left out: memory is read from /proc\n');
    return [];
  }
  const folder = await mkdtemp(join(tmpdir(), 'enterprise-access-compiled-'));
  const bus = await startBusServers();
  try {
    await compile(folder);
    const image = { NODE_COMPILE_CACHE: folder };
    const rows = [await measure(servers, 'bus in the database', image)];
    if ('missing' in bus) return rows;
    const address = { KAFKA_BROKERS: bus.brokers, SCHEMA_REGISTRY_URL: bus.registryUrl };
    return [...rows, await measure(servers, 'Kafka', { ...image, ...address })];
  } finally {
    if (!('missing' in bus)) await bus.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
