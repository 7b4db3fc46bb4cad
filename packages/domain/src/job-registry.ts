import { assignmentJobs } from './assignments/index.ts';
import { auditJob, reconcileJob } from './books/jobs.ts';
import { planRemindersJob, remindMemberJob } from './groups/jobs.ts';
import { expireJob } from './housekeeping/jobs.ts';
import type { Job } from './kernel/jobs/job.ts';

/** Every job, gathered from the slices. */
export const jobs: readonly Job[] = [
  reconcileJob,
  auditJob,
  planRemindersJob,
  remindMemberJob,
  expireJob,
  ...assignmentJobs,
];
