import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestServers } from '@enterprise-access/db/testing';
import { startWorkerProcess } from '../../apps/worker/test/processes.ts';
import { startBusServers } from './bus-servers.ts';
import type { Row } from './measure.ts';
import { makeWorkerSetting } from './worker-setting.ts';

const BAR_MB = 150;
const IDLE_MS = 20_000;

/** Resident memory of a process in MB; Linux only. */
async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/u.exec(status)?.[1]) / 1_024;
}

async function measure(servers: TestServers, what: string, bus: Readonly<Record<string, string>>): Promise<Row> {
  const setting = await makeWorkerSetting(servers, 'postgres', bus);
  const worker = await startWorkerProcess(setting.variables);
  try {
    await sleep(IDLE_MS);
    const used = await residentMb(worker.pid);
    return {
      name: `memory: idle worker, ${what}`,
      ours: `${used.toFixed(0)} MB`,
      reference: `${BAR_MB} MB`,
      ratio: used / BAR_MB,
      bar: { at: 'most', value: 1 },
    };
  } finally {
    await worker.stop();
    await setting.stop();
  }
}

/** What the worker of production holds when it has nothing to do. */
export async function memory(servers: TestServers): Promise<Row[]> {
  if (process.platform !== 'linux') {
    process.stderr.write('  left out: memory is read from /proc\n');
    return [];
  }
  const rows = [await measure(servers, 'bus in the database', {})];
  const bus = await startBusServers();
  if ('missing' in bus) return rows;
  try {
    const address = { KAFKA_BROKERS: bus.brokers, SCHEMA_REGISTRY_URL: bus.registryUrl };
    rows.push(await measure(servers, 'Kafka', address));
  } finally {
    await bus.stop();
  }
  return rows;
}
