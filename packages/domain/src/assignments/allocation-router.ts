import { procedure, router } from '../kernel/rpc.ts';
import { allocate } from './allocate.ts';
import * as contract from './allocation-contract.ts';
import { allocateInBulk, bulkReport, resumeBulk } from './bulk.ts';

/** Operations of the namespace `policies` that this slice implements. */
export const allocation = router({
  /** Allocate a course or run to learners at a fixed price. */
  allocate: procedure(contract.allocate).mutation(({ ctx, input }) => allocate(ctx.runtime, ctx.actor, input)),
  /** Allocate a course or run to thousands of learners in the background. */
  allocateInBulk: procedure(contract.allocateInBulk).mutation(({ ctx, input }) =>
    allocateInBulk(ctx.runtime, ctx.actor, input),
  ),
  /** What became of each learner of a bulk allocation. */
  bulkReport: procedure(contract.bulkReport).query(({ ctx, input }) => bulkReport(ctx.runtime, input)),
  /** Try again for the learners of a bulk allocation whom the budget did not cover. */
  resumeBulk: procedure(contract.resumeBulk).mutation(({ ctx, input }) => resumeBulk(ctx.runtime, input)),
});
