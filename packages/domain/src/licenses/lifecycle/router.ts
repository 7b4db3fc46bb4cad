import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import { retireUser } from './retire-user.ts';

export const privacy = router({
  /** Remove a user from all licences, and delete the copy of the account. */
  retireUser: procedure(contract.retireUser).mutation(({ ctx, input }) => retireUser(ctx.runtime, input)),
});
