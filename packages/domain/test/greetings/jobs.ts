import { z } from 'zod';
import { defineJob, implementJob } from '../../src/kernel/jobs/job.ts';

const contract = defineJob({
  name: 'greetings.greetEverybody',
  summary: 'Greet every customer.',
  payload: z.object({}),
  result: z.object({ greeted: z.int().describe('How many were greeted.') }),
  retry: { limit: 1, delaySeconds: 1, maximumDelaySeconds: 1 },
  timeoutSeconds: 10,
});

export const greetEverybodyJob = implementJob(contract, async () => ({ greeted: 0 }));
