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
  create: procedure(contract.create).mutation(({ ctx, input }) => service.create(ctx.runtime, input)),
  /** Change fields of a policy; what is not named stays. */
  update: procedure(contract.update).mutation(({ ctx, input }) => service.update(ctx.runtime, input)),
  /** Hide a policy from everybody. */
  deactivate: procedure(contract.deactivate).mutation(({ ctx, input }) => service.deactivate(ctx.runtime, input)),
  /** Add value to the subsidy of a policy and raise its spend limit. */
  deposit: procedure(contract.deposit).mutation(({ ctx, input }) =>
    deposit(ctx.runtime, ctx.actor, input, ctx.idempotencyKey),
  ),
  /** Let learners redeem after enrollment deadlines for some days. */
  setLateRedemption: procedure(contract.setLateRedemption).mutation(({ ctx, input }) =>
    service.setLateRedemption(ctx.runtime, input),
  ),
});
