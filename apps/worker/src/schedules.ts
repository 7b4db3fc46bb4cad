import { type Job, schedules as ofSlices } from '@enterprise-access/domain';
import type { PgBoss } from 'pg-boss';
import type { QueuedJob } from './queues.ts';

export interface Schedule {
  /** Name of the job. */
  readonly job: string;
  /** Minute, hour, day, month, weekday; UTC. */
  readonly cron: string;
  readonly payload?: Readonly<Record<string, unknown>>;
}

/** All scheduled jobs. Each is also a command: `npm run job -- NAME [--dry-run]`. */
export const schedules: readonly Schedule[] = [...ofSlices, { job: 'dead-letters.clear-keys', cron: '* * * * *' }];

/** Updates the stored schedules to this table. pg-boss creates one job per time, for any number of workers. */
export async function keepSchedules(boss: PgBoss, jobs: readonly Job[], table = schedules): Promise<void> {
  const known = new Map(jobs.map((job) => [job.contract.name, job]));
  for (const { name, key } of await boss.getSchedules()) {
    if (!table.some(({ job }) => job === name)) await boss.unschedule(name, key);
  }
  for (const { job: name, cron, payload = {} } of table) {
    const job = known.get(name);
    if (!job) throw new Error(`There is a schedule but no job named ${name}.`);
    const data: QueuedJob = { payload, trace: null };
    // Set the key also for jobs without one: a queue that was created when the job still had a key requires it.
    const singletonKey = job.contract.keyOf?.(job.contract.payload.parse(payload)) ?? name;
    await boss.schedule(name, cron, data, { tz: 'UTC', singletonKey });
  }
}
