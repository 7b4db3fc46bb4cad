import { z } from 'zod';

/** States of a long job. New states can be added. */
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
