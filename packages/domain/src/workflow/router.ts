import { procedure, router, stream } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const workflows = router({
  /** Workflows, the newest first. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, input)),
  /** A workflow with its steps and their attempts. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input.uuid)),
  /** Let a failed or waiting workflow go on at the step where it stands. */
  resume: procedure(contract.resume).mutation(({ ctx, input }) => service.resume(ctx.runtime, input)),
  /** Skip the step at which a workflow failed or waits. */
  skip: procedure(contract.skip).mutation(({ ctx, input }) => service.skip(ctx.runtime, input)),
  /** Cancel a workflow; what its steps have made is taken back. */
  cancel: procedure(contract.cancel).mutation(({ ctx, input }) => service.cancel(ctx.runtime, input)),
  /** Start a new workflow from a step of an ended one. */
  fork: procedure(contract.fork).mutation(({ ctx, input }) => service.fork(ctx.runtime, input)),
  /** Follows a workflow until it has ended. */
  progress: stream(contract.progress).subscription(({ ctx, input }) => service.follow(ctx.runtime, input, ctx.signal)),
});
