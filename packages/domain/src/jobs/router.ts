import { procedure, router, stream } from '../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const jobs = router({
  /** Progress and result of a long job. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input.uuid)),
  /** Follows a long job until it has ended. */
  progress: stream(contract.progress).subscription(({ ctx, input }) => service.follow(ctx.runtime, input, ctx.signal)),
});
