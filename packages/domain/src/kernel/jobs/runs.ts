import { type Connection, defineModel, insertIfAbsent, is, type Row } from '@enterprise-access/db';
import type { Runtime } from '../runtime.ts';
import type { JobRunView } from './view.ts';

/** Progress of long jobs, which callers can follow. */
export const jobRuns = defineModel('job_runs', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    name: is.text(),
    enterpriseCustomerUuid: is.uuid().nullable(),
    state: is.code<JobRunView['state']>(),
    done: is.integer(),
    total: is.integer().nullable(),
    result: is
      .json<Record<string, unknown>>()
      .nullable()
      .personalData({ holds: 'What a job reports.', ends: { job: 'housekeeping.expire' } }),
    error: is.text().nullable(),
    created: is.instant(),
    modified: is.instant(),
    finished: is.instant().nullable(),
  },
});

const REPORT_EVERY_MS = 250;

/** The customer of a payload, whose administrators can follow the job. */
export const customerOf = (payload: unknown): string | null => {
  const uuid =
    typeof payload === 'object' && payload !== null && 'enterpriseCustomerUuid' in payload
      ? payload.enterpriseCustomerUuid
      : null;
  return typeof uuid === 'string' ? uuid : null;
};

/** Writes progress to the row of a job, at most a few times per second. */
export function reportsOf({ db, clock }: Pick<Runtime, 'db' | 'clock'>, uuid: string) {
  let last = 0;
  const write = (change: Partial<Row<typeof jobRuns>>) =>
    db(jobRuns.table)
      .where({ uuid })
      .update(jobRuns.encode({ ...change, modified: clock() }));
  return {
    async begin(name: string, enterpriseCustomerUuid: string | null): Promise<void> {
      await insertRun(db, { uuid, name, enterpriseCustomerUuid, state: 'active', now: clock() });
      await write({ state: 'active', error: null });
    },
    async progress(done: number, total: number | null): Promise<void> {
      const now = Date.now();
      if (now - last < REPORT_EVERY_MS && done !== total) return;
      last = now;
      await write({ done, total });
    },
    async end(
      state: 'completed' | 'failed' | 'retrying',
      result: Record<string, unknown> | null,
      error: string | null,
    ): Promise<void> {
      const finished = state === 'retrying' ? null : clock();
      await write({ state, result, error, finished });
    },
  };
}

/** Inserts the row unless it exists, so that callers can follow a job as soon as it is enqueued. */
export const insertRun = (
  db: Connection,
  {
    now,
    ...run
  }: { uuid: string; name: string; enterpriseCustomerUuid: string | null; state: 'waiting' | 'active'; now: Date },
): Promise<boolean> => insertIfAbsent(db, jobRuns.table, jobRuns.encode({ ...run, created: now, modified: now }));
