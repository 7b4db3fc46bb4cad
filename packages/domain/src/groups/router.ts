import { procedure, router } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const groups = router({
  /** Members of a group that may redeem through a policy, with their enrollments. */
  listMembers: procedure(contract.listMembers).query(({ ctx, input }) => service.listMembers(ctx.runtime, input)),
  /** Let the members of a group redeem through a policy. */
  addAssociation: procedure(contract.addAssociation).mutation(({ ctx, input }) =>
    service.addAssociation(ctx.runtime, input),
  ),
  /** Remove a group from all policies of a customer. */
  removeAssociations: procedure(contract.removeAssociations).mutation(({ ctx, input }) =>
    service.removeAssociations(ctx.runtime, input),
  ),
});
