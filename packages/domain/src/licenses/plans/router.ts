import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const plans = router({
  /** Subscription plans that the caller may see. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, ctx.visibleCustomers, input)),
  /** One subscription plan with its counts. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input.uuid)),
  /** Active subscription plans of a customer, for its learners. */
  listForLearners: procedure(contract.listForLearners).query(({ ctx, input }) =>
    service.listForLearners(ctx.runtime, ctx.visibleCustomers, input),
  ),
  /** One active subscription plan of a customer, for its learners. */
  getForLearners: procedure(contract.getForLearners).query(({ ctx, input }) =>
    service.getForLearners(ctx.runtime, input),
  ),
});
