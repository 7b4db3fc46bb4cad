import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as freezing from './freeze.ts';
import { setPriority } from './priority.ts';
import * as priorityContract from './priority-contract.ts';
import * as provisioning from './provisioning.ts';
import * as provisioningContract from './provisioning-contract.ts';
import * as service from './service.ts';
import * as snapshot from './snapshot.ts';

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
  /** Create a subscription plan with its licences. */
  create: procedure(provisioningContract.create).mutation(({ ctx, input }) => provisioning.create(ctx.runtime, input)),
  /** Subscription plans for provisioning. */
  listForProvisioning: procedure(provisioningContract.listForProvisioning).query(({ ctx, input }) =>
    provisioning.listForProvisioning(ctx.runtime, input),
  ),
  /** One subscription plan for provisioning. */
  getForProvisioning: procedure(provisioningContract.getForProvisioning).query(({ ctx, input }) =>
    provisioning.getForProvisioning(ctx.runtime, input.uuid),
  ),
  /** Update fields of a plan, and add licences up to the desired number. */
  update: procedure(provisioningContract.update).mutation(({ ctx, input }) => provisioning.update(ctx.runtime, input)),
  /** Add licences up to the desired number of a plan. */
  provision: procedure(provisioningContract.provision).mutation(({ ctx, input }) =>
    provisioning.provision(ctx.runtime, input),
  ),
  /** Delete the unused licences of a plan for good. */
  freeze: procedure(provisioningContract.freeze).mutation(({ ctx, input }) => freezing.freeze(ctx.runtime, input)),
  /** Give licences of a plan the state that they had at a time. */
  revertLicenses: procedure(provisioningContract.revertLicenses).mutation(({ ctx, input }) =>
    snapshot.revertLicenses(ctx.runtime, input),
  ),
  /** Delete all revoked licences of a plan. */
  deleteRevoked: procedure(provisioningContract.deleteRevoked).mutation(({ ctx, input }) =>
    freezing.startDeletingRevoked(ctx.runtime, input),
  ),
  /** Decide which plan's licence a learner with several uses. */
  setPriority: procedure(priorityContract.setPriority).mutation(({ ctx, input }) => setPriority(ctx.runtime, input)),
});
