import { implementJob } from '../../kernel/jobs/job.ts';
import * as contracts from './job-contracts.ts';
import {
  onEndEnrollments,
  onInvite,
  onRemindLearners,
  onTellCapReached,
  onWelcome,
  onWelcomeApplied,
} from './mail-jobs.ts';
import { onRevokeAll } from './revoke.ts';

export const seatJobs = [
  implementJob(contracts.invite, onInvite),
  implementJob(contracts.remindLearners, onRemindLearners),
  implementJob(contracts.welcome, onWelcome),
  implementJob(contracts.welcomeApplied, onWelcomeApplied),
  implementJob(contracts.endEnrollments, onEndEnrollments),
  implementJob(contracts.tellCapReached, onTellCapReached),
  implementJob(contracts.revokeAllOfPlan, onRevokeAll),
];
