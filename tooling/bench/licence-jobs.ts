import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Dialect } from '@enterprise-access/db';
import type { TestServers } from '@enterprise-access/db/testing';
import { newUuid } from '@enterprise-access/domain';
import { type Sandbox, startSandbox } from '@enterprise-access/sandbox';
import type { Row, Settings } from './measure.ts';
import { dialectsOf } from './setting.ts';
import { makeWorkerSetting, type WorkerSetting } from './worker-setting.ts';

const COMMAND = fileURLToPath(new URL('../../apps/worker/src/command.ts', import.meta.url));
const FEW = 1_000;
const AT_ONCE = 2_000;
const SAMPLE_MS = 100;
const DAY_MS = 86_400_000;

/** A plan that expired long ago, all of whose licences are held. */
async function fill({ db }: WorkerSetting, licenses: number): Promise<void> {
  const [agreement, customer, plan] = [newUuid(), newUuid(), newUuid()];
  const times = { created: new Date(), modified: new Date() };
  const long = (days: number) => new Date(Date.now() - days * DAY_MS);
  const of = { enterprise_customer_uuid: customer };
  await db('customer_agreements').insert({ uuid: agreement, ...of, days_before_purge: 90, ...times });
  await db('subscription_plans').insert({
    uuid: plan,
    ...of,
    customer_agreement_uuid: agreement,
    title: 'Large',
    start_date: long(500),
    expiration_date: long(100),
    enterprise_catalog_uuid: newUuid(),
    is_active: true,
    revoke_max_percentage: 5,
    activated_count: licenses,
    ...times,
  });
  for (let start = 0; start < licenses; start += AT_ONCE) {
    const rows = Array.from({ length: Math.min(AT_ONCE, licenses - start) }, (_, at) => ({
      uuid: newUuid(),
      ...of,
      subscription_plan_uuid: plan,
      status: 'activated',
      user_email: `learner-${start + at}@bench.example`,
      lms_user_id: start + at + 1,
      activation_key: newUuid(),
      assigned_date: long(400),
      last_remind_date: long(400),
      activation_date: long(399),
      ...times,
    }));
    await db('licenses').insert(rows);
  }
}

/** Most resident memory of a process so far, in MB; Linux only. */
async function peakMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/u.exec(status)?.[1] ?? 0) / 1_024;
}

interface Run {
  readonly seconds: number;
  readonly peakMb: number;
}

/** Runs a job as its command does. */
async function runJob({ variables }: WorkerSetting, sandbox: Sandbox, name: string): Promise<Run> {
  const env = {
    PATH: process.env.PATH,
    ...variables,
    LMS_URL: `${sandbox.url}/lms`,
    ENTERPRISE_CATALOG_URL: `${sandbox.url}/catalog`,
    OAUTH2_URL: sandbox.url,
  };
  const began = performance.now();
  const child = spawn(process.execPath, [COMMAND, name], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const sampler = setInterval(async () => {
    peak = Math.max(peak, await peakMb(child.pid ?? 0));
  }, SAMPLE_MS);
  const [code] = await once(child, 'exit');
  clearInterval(sampler);
  if (code !== 0) throw new Error(`${name} ended with ${code}.`);
  return { seconds: (performance.now() - began) / 1_000, peakMb: peak };
}

const JOBS = ['licenses.expirePlans', 'licenses.retire'];

async function measure(servers: TestServers, dialect: Dialect, licenses: number): Promise<Map<string, Run>> {
  const setting = await makeWorkerSetting(servers, dialect);
  const sandbox = await startSandbox();
  try {
    await fill(setting, licenses);
    const runs = new Map<string, Run>();
    for (const name of JOBS) runs.set(name, await runJob(setting, sandbox, name));
    const left = await setting.db('licenses').whereNotNull('user_email').count({ n: '*' }).first();
    if (Number(left?.n) !== 0) throw new Error('There are licences that were not retired.');
    return runs;
  } finally {
    await sandbox.close();
    await setting.stop();
  }
}

/** Memory of the jobs that go through all licences of a plan: with very many against few. */
export async function licenceJobs(servers: TestServers, { rows }: Settings): Promise<Row[]> {
  if (process.platform !== 'linux') {
    process.stderr.write('  left out: memory is read from /proc\n');
    return [];
  }
  const all: Row[] = [];
  for (const dialect of dialectsOf(servers)) {
    const few = await measure(servers, dialect, FEW);
    const many = await measure(servers, dialect, rows);
    for (const name of JOBS) {
      const [less, more] = [few.get(name), many.get(name)];
      if (!less || !more) continue;
      const rate = Math.round(rows / more.seconds);
      all.push({
        name: `licence-jobs: ${name}, ${rows} licences on ${dialect}, ${rate}/s, memory`,
        ours: `${more.peakMb.toFixed(0)} MB`,
        reference: `${less.peakMb.toFixed(0)} MB with ${FEW}`,
        ratio: more.peakMb / less.peakMb,
        bar: { at: 'most', value: 2 },
      });
    }
  }
  return all;
}
