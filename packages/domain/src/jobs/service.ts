import { createHash } from 'node:crypto';
import type { Connection, Database, Row } from '@enterprise-access/db';
import type { Input } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { jobRuns } from '../kernel/jobs/runs.ts';
import type { JobRunView } from '../kernel/jobs/view.ts';
import { type Versioned, type Watch, watch } from '../kernel/jobs/watch.ts';
import type { Answer } from '../kernel/rpc.ts';
import type { Log, Runtime } from '../kernel/runtime.ts';
import type { progress } from './contract.ts';

const viewOf = ({ enterpriseCustomerUuid: _customer, ...view }: Row<typeof jobRuns>): JobRunView => view;

export async function get(deps: Pick<Runtime, 'db'>, uuid: string): Promise<JobRunView> {
  const row = await jobRuns.find(deps.db, uuid);
  if (!row) throw notFound({});
  return viewOf(row);
}

/** Named by what is told, so that a caller who comes back, to whichever process, is not told the same again. */
const versioned = (value: JobRunView): Versioned<JobRunView> => ({
  version: createHash('sha256').update(JSON.stringify(value)).digest('base64url'),
  value,
});

/** What lets many callers follow job runs by few looks at the database. */
export const watchJobRuns = (db: Database, log: Log): Watch<JobRunView> =>
  watch({
    log,
    async read(uuids) {
      const rows = await jobRuns.query(db).whereIn('uuid', [...uuids]);
      return new Map(rows.map(viewOf).map((view) => [view.uuid, versioned(view)]));
    },
  });

const hasEnded = ({ state }: JobRunView): boolean => state === 'completed' || state === 'failed';

/** How far a job is, whenever that changes. The last answer is its end. */
export async function* follow(
  deps: Pick<Runtime, 'jobRuns'>,
  { uuid, lastEventId }: Input<typeof progress>,
  signal: AbortSignal,
): AsyncGenerator<Answer<JobRunView>> {
  for await (const run of deps.jobRuns.follow(uuid, signal)) {
    if (!run) throw notFound({});
    if (run.version !== lastEventId) yield { id: run.version, value: run.value };
    if (hasEnded(run.value)) return;
  }
}

/** Customer that a job is about; null also for jobs of the whole service. */
export async function ownerOf(db: Connection, uuid: string): Promise<string | null> {
  return (await jobRuns.find(db, uuid))?.enterpriseCustomerUuid ?? null;
}
