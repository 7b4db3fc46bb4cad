import { procedure, router } from '../../kernel/rpc.ts';
import { autoApply } from './auto-apply.ts';
import * as autoApplyContract from './auto-apply-contract.ts';
import * as contract from './contract.ts';
import * as provisioning from './provisioning.ts';
import * as provisioningContract from './provisioning-contract.ts';
import * as service from './service.ts';

export const agreements = router({
  /** The customer agreements that the caller may see, with their plans. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, ctx.visibleCustomers, input)),
  /** One customer agreement with its plans. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input)),
  /** Create the agreement of a customer. */
  create: procedure(provisioningContract.create).mutation(({ ctx, input }) => provisioning.create(ctx.runtime, input)),
  /** One customer agreement with all its plans, for provisioning. */
  getForProvisioning: procedure(provisioningContract.getForProvisioning).query(({ ctx, input }) =>
    provisioning.getForProvisioning(ctx.runtime, input.uuid),
  ),
  /** Update fields of an agreement. */
  update: procedure(provisioningContract.update).mutation(({ ctx, input }) => provisioning.update(ctx.runtime, input)),
  /** Set what operators decide about an agreement. */
  configure: procedure(provisioningContract.configure).mutation(({ ctx, input }) =>
    provisioning.configure(ctx.runtime, input),
  ),
  /** Choose the plan whose licences learners get automatically. */
  setAutoAppliedPlan: procedure(provisioningContract.setAutoAppliedPlan).mutation(({ ctx, input }) =>
    provisioning.setAutoAppliedPlan(ctx.runtime, input),
  ),
  /** Give the caller a licence of the plan whose licences are applied automatically. */
  autoApply: procedure(autoApplyContract.autoApply).mutation(({ ctx, input }) =>
    autoApply(ctx.runtime, ctx.actor, input),
  ),
});
