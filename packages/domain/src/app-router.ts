import { allocation, assignments } from './assignments/index.ts';
import { groups } from './groups/index.ts';
import { jobs } from './jobs/index.ts';
import { mergeRouters, router } from './kernel/rpc.ts';
import { policies } from './policies/index.ts';
import { redemptions } from './redemptions/index.ts';
import { ledger } from './subsidies/index.ts';

/** Every domain's procedures in one tRPC app. */
export const appRouter = router({
  assignments,
  groups,
  jobs,
  ledger,
  policies: mergeRouters(policies, allocation),
  redemptions,
});
export type AppRouter = typeof appRouter;
