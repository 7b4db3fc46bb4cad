import { assignments } from './assignments/index.ts';
import { groups } from './groups/index.ts';
import { jobs } from './jobs/index.ts';
import { router } from './kernel/rpc.ts';
import { ledger } from './ledger/index.ts';
import { policies } from './policies/index.ts';
import { redemptions } from './redemptions/index.ts';

/** Every domain's procedures in one tRPC app. */
export const appRouter = router({ assignments, groups, jobs, ledger, policies, redemptions });
export type AppRouter = typeof appRouter;
