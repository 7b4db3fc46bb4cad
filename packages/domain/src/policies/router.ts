import { allocate } from '../assignments/allocate.ts';
import { allocateInBulk, bulkReport, resumeBulk } from '../assignments/bulk.ts';
import { procedure, router } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import { deposit } from './deposits.ts';
import * as service from './service.ts';

export const policies = router({
  /** Policies of a customer with the totals of their budgets, newest first. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, input)),
  /** One policy with the totals of its budget. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input.uuid)),
  /** Create a policy, or find the active one that matches. */
  create: procedure(contract.create).mutation(({ ctx, input }) => service.create(ctx.runtime, ctx.actor, input)),
  /** Change fields of a policy; what is not named stays. */
  update: procedure(contract.update).mutation(({ ctx, input }) => service.update(ctx.runtime, ctx.actor, input)),
  /** Hide a policy from everybody. */
  deactivate: procedure(contract.deactivate).mutation(({ ctx, input }) =>
    service.deactivate(ctx.runtime, ctx.actor, input),
  ),
  /** Add value to the subsidy of a policy and raise its spend limit. */
  deposit: procedure(contract.deposit).mutation(({ ctx, input }) =>
    deposit(ctx.runtime, ctx.actor, input, ctx.idempotencyKey),
  ),
  /** Allocate a course or run to learners at a fixed price. */
  allocate: procedure(contract.allocate).mutation(({ ctx, input }) => allocate(ctx.runtime, ctx.actor, input)),
  /** Allocate a course or run to thousands of learners in the background. */
  allocateInBulk: procedure(contract.allocateInBulk).mutation(({ ctx, input }) =>
    allocateInBulk(ctx.runtime, ctx.actor, input),
  ),
  /** What became of each learner of a bulk allocation. */
  bulkReport: procedure(contract.bulkReport).query(({ ctx, input }) => bulkReport(ctx.runtime, input)),
  /** Try again for the learners of a bulk allocation whom the budget did not cover. */
  resumeBulk: procedure(contract.resumeBulk).mutation(({ ctx, input }) => resumeBulk(ctx.runtime, input)),
  /** Let learners redeem after enrollment deadlines for some days. */
  setLateRedemption: procedure(contract.setLateRedemption).mutation(({ ctx, input }) =>
    service.setLateRedemption(ctx.runtime, ctx.actor, input),
  ),
});
