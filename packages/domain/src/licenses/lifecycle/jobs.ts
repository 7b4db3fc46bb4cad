import { implementJob } from '../../kernel/jobs/job.ts';
import * as contracts from './job-contracts.ts';
import { onRetire } from './retire.ts';

export const lifecycleJobs = [{ job: implementJob(contracts.retire, onRetire), cron: '17 4 * * *' }];
