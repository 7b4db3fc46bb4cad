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

/** What happens by itself, and when. Each is also a command: `npm run job -- NAME [--dry-run]`. */
export const schedules: readonly Schedule[] = [...ofSlices, { job: 'dead-letters.clear-keys', cron: '* * * * *' }];

/** Makes the stored schedules those of the table. One job per time, however many workers there are. */
export async function keepSchedules(boss: PgBoss, jobs: readonly Job[], table = schedules): Promise<void> {
  const known = new Map(jobs.map((job) => [job.contract.name, job]));
  for (const { name, key } of await boss.getSchedules()) {
    if (!table.some(({ job }) => job === name)) await boss.unschedule(name, key);
  }
  for (const { job: name, cron, payload = {} } of table) {
    const job = known.get(name);
    if (!job) throw new Error(`There is a schedule but no job named ${name}.`);
    const data: QueuedJob = { payload, trace: null };
    // Without a key it means nothing to the queue, except to one that was made when the job still had one.
    const singletonKey = job.contract.keyOf?.(job.contract.payload.parse(payload)) ?? name;
    await boss.schedule(name, cron, data, { tz: 'UTC', singletonKey });
  }
}
