import { procedure, router } from '../kernel/rpc.ts';
import { approve, approveAll } from './approve.ts';
import * as configurationContract from './configuration-contract.ts';
import * as configurations from './configurations.ts';
import * as contract from './contract.ts';
import * as decide from './decide.ts';
import * as service from './service.ts';

export const requestConfigurations = router({
  /** Configurations of Browse & Request that the caller can see, newest first. */
  list: procedure(configurationContract.list).query(({ ctx, input }) =>
    configurations.list(ctx.runtime, ctx.actor, ctx.visibleCustomers, input),
  ),
  /** Configuration of Browse & Request of a customer. */
  get: procedure(configurationContract.get).query(({ ctx, input }) =>
    configurations.get(ctx.runtime, input.enterpriseCustomerUuid),
  ),
  /** Configure Browse & Request of a customer. */
  create: procedure(configurationContract.create).mutation(({ ctx, input }) =>
    configurations.create(ctx.runtime, ctx.actor, input),
  ),
  /** Change the configuration of Browse & Request of a customer. */
  update: procedure(configurationContract.update).mutation(({ ctx, input }) =>
    configurations.update(ctx.runtime, ctx.actor, input),
  ),
});

export const learnerCreditRequests = router({
  /** Requests that the caller can see. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, ctx.actor, input)),
  /** One request that the caller can see. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, ctx.actor, input.uuid)),
  /** Number of requests of a customer by state. */
  overview: procedure(contract.overview).query(({ ctx, input }) => service.overview(ctx.runtime, ctx.actor, input)),
  /** Request a course from a budget. */
  create: procedure(contract.create).mutation(({ ctx, input }) => service.create(ctx.runtime, ctx.actor, input)),
  /** Approve requests to a budget. */
  approve: procedure(contract.approve).mutation(({ ctx, input }) => approve(ctx.runtime, ctx.actor, input)),
  /** Approve all open requests to a budget. */
  approveAll: procedure(contract.approveAll).mutation(({ ctx, input }) => approveAll(ctx.runtime, ctx.actor, input)),
  /** Decline requests. */
  decline: procedure(contract.decline).mutation(({ ctx, input }) => decide.decline(ctx.runtime, ctx.actor, input)),
  /** Decline all open requests to a budget. */
  declineAll: procedure(contract.declineAll).mutation(({ ctx, input }) =>
    decide.declineAll(ctx.runtime, ctx.actor, input),
  ),
  /** Remind learners of approved requests. */
  remind: procedure(contract.remind).mutation(({ ctx, input }) => decide.remind(ctx.runtime, input)),
  /** Remind the learners of all approved requests to a budget. */
  remindAll: procedure(contract.remindAll).mutation(({ ctx, input }) => decide.remindAll(ctx.runtime, input)),
  /** Cancel an approved request with its assignment. */
  cancel: procedure(contract.cancel).mutation(({ ctx, input }) => decide.cancel(ctx.runtime, ctx.actor, input)),
  /** Cancel approved requests with their assignments. */
  bulkCancel: procedure(contract.bulkCancel).mutation(({ ctx, input }) =>
    decide.bulkCancel(ctx.runtime, ctx.actor, input),
  ),
  /** Cancel all approved requests to a budget with their assignments. */
  cancelAll: procedure(contract.cancelAll).mutation(({ ctx, input }) =>
    decide.cancelAll(ctx.runtime, ctx.actor, input),
  ),
});
