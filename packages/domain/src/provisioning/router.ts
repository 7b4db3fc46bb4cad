import { procedure, router } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const provisioning = router({
  /** Build a customer with everything that belongs to it. */
  create: procedure(contract.create).mutation(({ ctx, input }) => service.create(ctx.runtime, input)),
  /** Store the Salesforce line item of a checkout’s paid plan. */
  updateSubscriptionPlanOli: procedure(contract.updateSubscriptionPlanOli).mutation(({ ctx, input }) =>
    service.updateOli(ctx.runtime, input),
  ),
});
