import { defineJob, implementJob, type Job } from '@enterprise-access/domain';
import { z } from 'zod';

const appendContract = defineJob({
  name: 'test.append',
  summary: 'Leaves a row, once.',
  payload: z.object({ key: z.string(), sequence: z.int(), failures: z.int().default(0) }),
  result: z.object({ first: z.boolean() }),
  keyOf: ({ key }) => key,
  retry: { limit: 3, delaySeconds: 1, maximumDelaySeconds: 1 },
  timeoutSeconds: 20,
});

/** Its effect is a row in the transaction of its claim; before that it may fail some times. */
export const appendJob = implementJob(appendContract, async (run, { key, sequence, failures }) => {
  const attempts = await run.runtime.db('test_attempts').where({ job: run.uuid }).count({ n: '*' }).first();
  if (Number(attempts?.n) < failures) {
    await run.runtime.db('test_attempts').insert({ job: run.uuid });
    throw new Error('not yet');
  }
  const first = await run.once(async (trx) => {
    await trx('test_effects').insert({ job: run.uuid, effect_key: key, sequence });
  });
  return { first };
});

export { appendContract };
export const testJobs: readonly Job[] = [appendJob];
