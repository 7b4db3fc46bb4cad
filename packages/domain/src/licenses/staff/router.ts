import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const staffLicenses = router({
  /** Licences of an address in all plans of all customers, for support staff. */
  lookUp: procedure(contract.lookUp).query(({ ctx, input }) => service.lookUp(ctx.runtime, input)),
  /** Licences of an address in all plans of a customer, for support staff. */
  listOfLearner: procedure(contract.listOfLearner).query(({ ctx, input }) => service.listOfLearner(ctx.runtime, input)),
});
