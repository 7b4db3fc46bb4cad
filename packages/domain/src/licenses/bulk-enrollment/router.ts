import { procedure, router } from '../../kernel/rpc.ts';
import * as contract from './contract.ts';
import * as service from './service.ts';

export const bulkEnrollment = router({
  /** Enroll learners in course runs with their licences, in a job. */
  enroll: procedure(contract.enroll).mutation(({ ctx, input }) => service.enroll(ctx.runtime, ctx.actor, input)),
  /** How far a bulk enrollment is, and a link to its result. */
  status: procedure(contract.status).query(({ ctx, input }) => service.status(ctx.runtime, input)),
  /** What became of each pair of learner and course run. */
  outcomes: procedure(contract.outcomes).query(({ ctx, input }) => service.outcomes(ctx.runtime, input)),
});
