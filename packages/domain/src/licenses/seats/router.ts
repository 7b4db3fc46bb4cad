import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const licenses = router({
  /** Licences of a plan, by default by status and address. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, ctx.visibleCustomers, input)),
  /** One licence of a plan. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input)),
  /** Number of licences of a plan by status, the largest first. */
  overview: procedure(contract.overview).query(({ ctx, input }) => service.overview(ctx.runtime, input)),
});
