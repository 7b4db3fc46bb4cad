import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const renewals = router({
  /** Renewals, in the order of their ids. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, input)),
  /** One renewal. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input.id)),
  /** Plan the renewal of a plan. */
  create: procedure(contract.create).mutation(({ ctx, input }) => service.create(ctx.runtime, input)),
  /** Update fields of a renewal. */
  update: procedure(contract.update).mutation(({ ctx, input }) => service.update(ctx.runtime, input)),
  /** Delete a renewal. */
  remove: procedure(contract.remove).mutation(({ ctx, input }) => service.remove(ctx.runtime, input.id)),
  /** Process a renewal, once. */
  process: procedure(contract.process).mutation(({ ctx, input }) => service.process(ctx.runtime, input.id)),
  /** What a renewal would do if it was processed now. */
  preview: procedure(contract.preview).query(({ ctx, input }) => service.preview(ctx.runtime, input.id)),
});
