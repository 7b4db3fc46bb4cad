import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const products = router({
  /** Products, in the order of their ids. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, input)),
  /** Create a product. */
  create: procedure(contract.create).mutation(({ ctx, input }) => service.create(ctx.runtime, input)),
  /** Update fields of a product. */
  update: procedure(contract.update).mutation(({ ctx, input }) => service.update(ctx.runtime, input)),
  /** Plan types, in the order of their ids. */
  listPlanTypes: procedure(contract.listPlanTypes).query(({ ctx, input }) => service.listPlanTypes(ctx.runtime, input)),
  /** Create a plan type. */
  createPlanType: procedure(contract.createPlanType).mutation(({ ctx, input }) =>
    service.createPlanType(ctx.runtime, input),
  ),
  /** Update fields of a plan type. */
  updatePlanType: procedure(contract.updatePlanType).mutation(({ ctx, input }) =>
    service.updatePlanType(ctx.runtime, input),
  ),
});
