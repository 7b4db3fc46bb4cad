import { procedure, router } from '../../src/kernel/rpc.ts';
import * as contract from './contract.ts';

export const greetings = router({
  /** Greet a customer. */
  greet: procedure(contract.greet).query(async ({ ctx, input: { enterpriseCustomerUuid } }) => {
    const customer = await ctx.runtime.lms.customer(enterpriseCustomerUuid);
    return { text: `${ctx.runtime.settings.greetingWord} ${customer?.name}`, enterpriseCustomerUuid };
  }),
});
