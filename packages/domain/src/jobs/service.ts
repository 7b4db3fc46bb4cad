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

/**
 * The version is a digest of the data, so that a client that reconnects to any process does not get the same event
 * again.
 */
const versioned = (value: JobRunView): Versioned<JobRunView> => ({
  version: createHash('sha256').update(JSON.stringify(value)).digest('base64url'),
  value,
});

/** Shared poller for the progress of job runs. */
export const watchJobRuns = (db: Database, log: Log): Watch<JobRunView> =>
  watch({
    log,
    async read(uuids) {
      const rows = await jobRuns.query(db).whereIn('uuid', [...uuids]);
      return new Map(rows.map(viewOf).map((view) => [view.uuid, versioned(view)]));
    },
  });

const hasEnded = ({ state }: JobRunView): boolean => state === 'completed' || state === 'failed';

/** Yields the progress of a job at each change, until it has ended. */
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

/** The customer of a job; null if unknown and for jobs of the whole service. */
export async function ownerOf(db: Connection, uuid: string): Promise<string | null> {
  return (await jobRuns.find(db, uuid))?.enterpriseCustomerUuid ?? null;
}
