import { implementJob } from '../../kernel/jobs/job.ts';
import { onAnnounceExpiration, onExpirePlans } from './expire.ts';
import * as contracts from './job-contracts.ts';
import { onRetire } from './retire.ts';

export const lifecycleJobs = [
  { job: implementJob(contracts.expirePlans, onExpirePlans), cron: '37 1 * * *' },
  implementJob(contracts.announceExpiration, onAnnounceExpiration),
  { job: implementJob(contracts.retire, onRetire), cron: '17 4 * * *' },
];
