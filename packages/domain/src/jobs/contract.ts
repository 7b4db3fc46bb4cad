import { z } from 'zod';
import { defineContract, defineStream, resumable } from '../kernel/contract.ts';
import { uuid } from '../kernel/ids.ts';

/** Where a long job is. New states may come. */
export const jobStates = ['waiting', 'active', 'retrying', 'completed', 'failed'] as const;

export const jobRun = z
  .object({
    uuid: z.string().describe('Identifies the job.'),
    name: z.string().describe('What kind of job it is.'),
    state: z.enum(jobStates).describe('Completed and failed are the ends.'),
    done: z.int().min(0).describe('How many parts are done.'),
    total: z.int().min(0).nullable().describe('How many parts there are; null while that is unknown.'),
    result: z.record(z.string(), z.unknown()).nullable().describe('What a completed job reports.'),
    error: z.string().nullable().describe('What went wrong in the last attempt that failed, in a sentence.'),
    created: z.date().describe('When it was asked for.'),
    modified: z.date().describe('When it last told something.'),
    finished: z.date().nullable().describe('When it ended.'),
  })
  .meta({ title: 'JobRun' });
export type JobRunView = z.infer<typeof jobRun>;

const permission = 'subsidy_access_policy.has_allocation_access';
const context = { from: 'job', field: 'uuid' } as const;

export const get = defineContract({
  summary: 'How far a long job is, and what it reports.',
  kind: 'query',
  permission,
  context,
  rest: { method: 'GET', path: '/api/v1/jobs/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Job.') }),
  output: jobRun,
  errors: [],
});

export const progress = defineStream({
  summary: 'Follows a long job: how far it is now, then each change, until it has ended.',
  kind: 'subscription',
  permission,
  context,
  input: z.object({ uuid: uuid().describe('Job.'), ...resumable }),
  output: jobRun,
  errors: [],
});
