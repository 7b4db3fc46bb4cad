import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const agreements = router({
  /** The customer agreements that the caller may see, with their plans. */
  list: procedure(contract.list).query(({ ctx, input }) => service.list(ctx.runtime, ctx.visibleCustomers, input)),
  /** One customer agreement with its plans. */
  get: procedure(contract.get).query(({ ctx, input }) => service.get(ctx.runtime, input)),
});
