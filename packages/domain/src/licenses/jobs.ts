import { implementJob, type Job } from '../kernel/jobs/job.ts';
import type { ScheduledJob } from '../kernel/slice.ts';
import * as freezing from './plans/freeze.ts';
import * as seats from './plans/seats.ts';
import * as seed from './products/seed.ts';
import * as renewals from './renewals/jobs.ts';

/** Jobs around plans: their licences, their renewals, what is sold. */
export const planJobs: readonly (Job | ScheduledJob)[] = [
  implementJob(seats.provisionSeats, seats.onProvisionSeats),
  implementJob(freezing.deleteUnused, freezing.onDeleteUnused),
  implementJob(freezing.deleteRevoked, freezing.onDeleteRevoked),
  { job: implementJob(renewals.processRenewals, renewals.onProcessRenewals), cron: '7 * * * *' },
  { job: implementJob(seed.seedProducts, seed.onSeedProducts), cron: '41 4 * * *' },
];
