import { isPermitted, missing } from '../kernel/actor.ts';
import { notFound } from '../kernel/errors.ts';
import { procedure, router } from '../kernel/rpc.ts';
import { findTransaction, viewOfTransaction } from '../ledger/index.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';
import { canRedeem } from './can-redeem.ts';
import { canRequest } from './can-request.ts';
import * as contract from './contract.ts';
import { creditsAvailable } from './credits.ts';
import * as decisionContract from './decision-contract.ts';
import { decisionsOf, getDecision } from './decisions.ts';
import { explain } from './explain.ts';
import { force } from './force.ts';
import { redeem } from './redeem.ts';

export const redemptions = router({
  /** Whether and through which policy a learner can redeem each of some course runs. */
  canRedeem: procedure(contract.canRedeem).query(({ ctx, input }) => canRedeem(ctx.runtime, ctx.actor, input)),
  /** Whether a learner can request a course. */
  canRequest: procedure(contract.canRequest).query(({ ctx, input }) => canRequest(ctx.runtime, ctx.actor, input)),
  /** Policies that a learner can still spend from. */
  creditsAvailable: procedure(contract.creditsAvailable).query(({ ctx, input }) =>
    creditsAvailable(ctx.runtime, ctx.actor, input),
  ),
  /** Spend a policy’s credit on one course run for one learner. */
  redeem: procedure(contract.redeem).mutation(({ ctx, input }) => redeem(ctx.runtime, ctx.actor, input)),
  /** Redeem for a learner although the enrollment deadline has passed. */
  force: procedure(contract.force).mutation(({ ctx, input }) => force(ctx.runtime, ctx.actor, input)),
  /** One redemption: the transaction it made. */
  get: procedure(contract.get).query(async ({ ctx, input }) => {
    const found = await findTransaction(ctx.runtime.db, input.uuid);
    if (!found) throw notFound({});
    const isOwn = ctx.actor.lmsUserId !== null && found.lmsUserId === ctx.actor.lmsUserId;
    if (!isOwn && !isPermitted(ctx.actor, policyPermissions.has_allocation_access, ctx.customer)) {
      throw missing(contract.get.permission);
    }
    return viewOfTransaction(found, ctx.runtime.settings);
  }),
  /** Every check of a redemption with its inputs and verdict. */
  explain: procedure(contract.explain).query(({ ctx, input }) => explain(ctx.runtime, ctx.actor, input)),
  /** What was decided about a customer’s learners, newest first. */
  listDecisions: procedure(decisionContract.listDecisions).query(({ ctx, input }) =>
    decisionsOf(ctx.runtime, ctx.actor, input),
  ),
  /** One decision with what was judged. */
  getDecision: procedure(decisionContract.getDecision).query(({ ctx, input }) =>
    getDecision(ctx.runtime, ctx.actor, input),
  ),
});
