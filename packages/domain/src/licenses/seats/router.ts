import { procedure, router } from '../../kernel/rpc.ts';
import { activate } from './activate.ts';
import { assign } from './assign.ts';
import * as changes from './change-contract.ts';
import * as contract from './contract.ts';
import * as learner from './learner.ts';
import * as ofLearner from './learner-contract.ts';
import { remind, remindAll } from './remind.ts';
import { bulkRevoke, revokeAll } from './revoke.ts';
import * as service from './service.ts';
import { applicable, subsidy } from './subsidy.ts';
import { timeline } from './timeline.ts';
import * as timelineContract from './timeline-contract.ts';

export const licenses = router({
  /** Licences of a plan, by default by status and address. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, ctx.visibleCustomers, input)),
  /** One licence of a plan. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input)),
  /** Number of licences of a plan by status, the largest first. */
  overview: procedure(contract.overview).query(({ ctx, input }) => service.overview(ctx.runtime, input)),
  /** Assign licences to learners. */
  assign: procedure(changes.assign).mutation(({ ctx, input }) => assign(ctx.runtime, input)),
  /** Remind learners of licences that they have not activated. */
  remind: procedure(changes.remind).mutation(({ ctx, input }) => remind(ctx.runtime, input)),
  /** Remind all learners of a plan who have not activated theirs. */
  remindAll: procedure(changes.remindAll).mutation(({ ctx, input }) => remindAll(ctx.runtime, input)),
  /** Revoke licences of learners. */
  bulkRevoke: procedure(changes.bulkRevoke).mutation(({ ctx, input }) => bulkRevoke(ctx.runtime, input)),
  /** Revoke all licences of a plan, in a job. */
  revokeAll: procedure(changes.revokeAll).mutation(({ ctx, input }) => revokeAll(ctx.runtime, input)),
  /** What happened to a licence, the latest first. */
  timeline: procedure(timelineContract.timeline).query(({ ctx, input }) => timeline(ctx.runtime, input)),
  /** The caller's licences of a plan. */
  listOwn: procedure(ofLearner.listOwn).query(({ ctx, input }) => learner.listOwn(ctx.runtime, ctx, input)),
  /** One of the caller's licences of a plan. */
  getOwn: procedure(ofLearner.getOwn).query(({ ctx, input }) => learner.getOwn(ctx.runtime, ctx.actor, input)),
  /** The caller's licences of a customer. */
  listMine: procedure(ofLearner.listMine).query(({ ctx, input }) => learner.listMine(ctx.runtime, ctx, input)),
  /** Move the caller's licences to the account's present address. */
  followAddress: procedure(ofLearner.followAddress).mutation(({ ctx, input }) =>
    learner.followAddress(ctx.runtime, ctx.actor, input),
  ),
  /** Activate the caller's licence. */
  activate: procedure(ofLearner.activate).mutation(({ ctx, input }) => activate(ctx.runtime, ctx.actor, input)),
  /** The subsidy that the caller's licence gives for a course. */
  subsidy: procedure(ofLearner.subsidy).query(({ ctx, input }) => subsidy(ctx.runtime, ctx.actor, input)),
  /** Which of the caller's licences gives a course. */
  applicable: procedure(ofLearner.applicable).query(({ ctx, input }) => applicable(ctx.runtime, ctx.actor, input)),
});
