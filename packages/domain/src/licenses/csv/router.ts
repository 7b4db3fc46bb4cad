import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const licensesCsv = router({
  /** Activated, assigned and revoked licences of a plan as CSV, part by part. */
  csv: procedure(contract.csv).query(({ ctx, input }) => service.csv(ctx.runtime, input)),
});
