import type { Connection } from '@enterprise-access/db';
import { notFound } from '../kernel/errors.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { JobRunView } from './contract.ts';

interface Row extends Omit<JobRunView, 'result'> {
  enterprise_customer_uuid: string | null;
  result: Record<string, unknown> | string | null;
}

async function find(db: Connection, uuid: string): Promise<JobRunView | null> {
  const row: Row | undefined = await db('job_runs').where({ uuid }).first();
  if (!row) return null;
  const { enterprise_customer_uuid: _customer, result, ...view } = row;
  // MariaDB keeps JSON as text.
  return { ...view, result: typeof result === 'string' ? JSON.parse(result) : result };
}

export async function get(deps: Pick<Runtime, 'db'>, uuid: string): Promise<JobRunView> {
  const run = await find(deps.db, uuid);
  if (!run) throw notFound({});
  return run;
}

/** Customer that a job is about; null also for jobs of the whole service. */
export async function ownerOf(db: Connection, uuid: string): Promise<string | null> {
  const row: { enterprise_customer_uuid: string | null } | undefined = await db('job_runs')
    .where({ uuid })
    .first('enterprise_customer_uuid');
  return row?.enterprise_customer_uuid ?? null;
}
