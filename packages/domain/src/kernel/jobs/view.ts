import { z } from 'zod';

/** States of a long job. New states can be added. */
export const jobStates = ['waiting', 'active', 'retrying', 'completed', 'failed'] as const;

export const jobRun = z
  .object({
    uuid: z.string().describe('Identifies the job.'),
    name: z.string().describe('Name of the job.'),
    state: z.enum(jobStates).describe('State of the job; completed and failed are final.'),
    done: z.int().min(0).describe('Number of completed parts.'),
    total: z.int().min(0).nullable().describe('Total number of parts; null if unknown.'),
    result: z.record(z.string(), z.unknown()).nullable().describe('Result of a completed job.'),
    error: z.string().nullable().describe('Error of the last failed attempt.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last update.'),
    finished: z.date().nullable().describe('Time of the end.'),
  })
  .meta({ title: 'JobRun' });
export type JobRunView = z.infer<typeof jobRun>;
