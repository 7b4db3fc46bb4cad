import { procedure, router } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import { nudge } from './nudge.ts';
import * as service from './service.ts';

export const assignments = router({
  /** Assignment configurations of a customer, newest first. */
  listConfigurations: procedure(contract.listConfigurations).query(({ ctx, input }) =>
    service.listConfigurations(ctx.runtime, input),
  ),
  /** One assignment configuration. */
  getConfiguration: procedure(contract.getConfiguration).query(({ ctx, input }) =>
    service.getConfiguration(ctx.runtime, input.uuid),
  ),
  /** Create an assignment configuration without a policy. */
  createConfiguration: procedure(contract.createConfiguration).mutation(({ ctx, input }) =>
    service.createConfiguration(ctx.runtime, input),
  ),
  /** Switch an assignment configuration on or off. */
  updateConfiguration: procedure(contract.updateConfiguration).mutation(({ ctx, input }) =>
    service.setActive(ctx.runtime, input),
  ),
  /** Switch an assignment configuration off. */
  deactivateConfiguration: procedure(contract.deactivateConfiguration).mutation(({ ctx, input }) =>
    service.setActive(ctx.runtime, { ...input, active: false }),
  ),
  /** Say that the learner has seen that assignments expired or were cancelled. */
  acknowledge: procedure(contract.acknowledge).mutation(({ ctx, input }) =>
    service.acknowledge(ctx.runtime, ctx.actor, input),
  ),
  /** Assignments of a configuration, by default the latest action first. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, input)),
  /** One assignment of a configuration. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input)),
  /** Take assignments back that learners have not redeemed. */
  cancel: procedure(contract.cancel).mutation(({ ctx, input }) => service.cancel(ctx.runtime, ctx.actor, input)),
  /** Take all matching assignments back that learners have not redeemed. */
  cancelAll: procedure(contract.cancelAll).mutation(({ ctx, input }) =>
    service.cancelAll(ctx.runtime, ctx.actor, input),
  ),
  /** Remind learners of assignments. */
  remind: procedure(contract.remind).mutation(({ ctx, input }) => service.remind(ctx.runtime, ctx.actor, input)),
  /** Remind the learners of all matching assignments. */
  remindAll: procedure(contract.remindAll).mutation(({ ctx, input }) =>
    service.remindAll(ctx.runtime, ctx.actor, input),
  ),
  /** Remind learners of executive education that begins in so many days. */
  nudge: procedure(contract.nudge).mutation(({ ctx, input }) => nudge(ctx.runtime, input)),
  /** The caller’s own assignments of a configuration. */
  listOwn: procedure(contract.listOwn).query(({ ctx, input }) => service.listOwn(ctx.runtime, ctx.actor, input)),
  /** One of the caller’s own assignments. */
  getOwn: procedure(contract.getOwn).query(({ ctx, input }) => service.getOwn(ctx.runtime, ctx.actor, input)),
});
