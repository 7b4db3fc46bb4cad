import { implementJob } from '../kernel/jobs/job.ts';
import { allocateBatch, onAllocateBatch } from './bulk-job.ts';
import * as contracts from './job-contracts.ts';
import { onLink } from './link-job.ts';
import { onNotify, onNudgeLearner, onRemind, onTellCancelled, onTellExpired } from './mail-jobs.ts';
import { onExpireDue, onNudgeDue, onRetireAddresses } from './sweep.ts';

export const assignmentJobs = [
  implementJob(allocateBatch, onAllocateBatch),
  implementJob(contracts.link, onLink),
  implementJob(contracts.notify, onNotify),
  implementJob(contracts.remindLearner, onRemind),
  implementJob(contracts.tellCancelled, onTellCancelled),
  implementJob(contracts.tellExpired, onTellExpired),
  implementJob(contracts.nudgeLearner, onNudgeLearner),
  { job: implementJob(contracts.expireDue, onExpireDue), cron: '7 1 * * *' },
  { job: implementJob(contracts.retireAddresses, onRetireAddresses), cron: '7 4 * * *' },
  { job: implementJob(contracts.nudgeDue, onNudgeDue), cron: '37 4 * * *' },
];
