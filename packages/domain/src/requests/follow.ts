import { appendToOutbox } from '@enterprise-access/db';
import { jobMessage } from '../kernel/jobs/job.ts';
import type { FollowAssignments } from '../kernel/ports/followers.ts';
import { tellCancelled, tellExpired } from './job-contracts.ts';
import { following } from './rules.ts';
import * as store from './store.ts';

const FAILED = 'The redemption of the assignment failed.';

/** R-REQ-91: moves requests with their assignments, in the same transaction, and tells the learners. */
export const followAssignments: FollowAssignments = async (trx, changes) => {
  const rows = await store.holdOfAssignments(
    trx,
    changes.map(({ assignmentUuid }) => assignmentUuid),
  );
  if (rows.length === 0) return new Set();
  const byAssignment = new Map(changes.map((change) => [change.assignmentUuid, change]));
  const moved = rows.flatMap((before) => {
    const change = byAssignment.get(before.assignmentUuid ?? '');
    const move = change && following(before.state, change.is);
    return change && move ? [{ before, change, move }] : [];
  });
  const at = moved[0]?.change.at;
  if (at === undefined) return new Set();
  const steps = moved.map(({ before, change: { admin }, move }) => ({
    before,
    after: {
      ...before,
      state: move.state ?? before.state,
      ...(move.state === 'cancelled' && admin
        ? { reviewerUserId: admin.userId, reviewerLmsUserId: admin.lmsUserId, reviewedAt: at }
        : {}),
    },
    action: {
      recentAction: move.recentAction,
      status: move.status,
      ...(move.errorReason === null ? {} : { errorReason: move.errorReason, traceback: FAILED }),
    },
  }));
  await store.write(trx, steps, at);
  const occasion = at.toISOString();
  const told = moved.flatMap(({ before, move }) => {
    const job = move.state === 'cancelled' ? tellCancelled : move.state === 'expired' ? tellExpired : null;
    return job ? [{ before, job }] : [];
  });
  await appendToOutbox(
    trx,
    at,
    told.map(({ before: { uuid, enterpriseCustomerUuid }, job }) =>
      jobMessage(job, { requestUuid: uuid, occasion }, enterpriseCustomerUuid),
    ),
  );
  return new Set(told.flatMap(({ before: { assignmentUuid } }) => assignmentUuid ?? []));
};
