import { z } from 'zod';
import { defineContract, defineStream, resumable } from '../kernel/contract.ts';
import { uuid } from '../kernel/ids.ts';
import { jobRun } from '../kernel/jobs/view.ts';
import { permissions as policyPermissions } from '../policies/permissions.ts';

const permission = policyPermissions.has_allocation_access;
const context = { from: 'job', field: 'uuid' } as const;

export const get = defineContract({
  summary: 'Progress and result of a long job.',
  kind: 'query',
  permission,
  context,
  rest: { method: 'GET', path: '/api/v1/jobs/{uuid}/' },
  input: z.object({ uuid: uuid().describe('Job.') }),
  output: jobRun,
  errors: [],
});

export const progress = defineStream({
  summary: 'Stream the progress of a long job: its current state, then each change until it has ended.',
  kind: 'subscription',
  permission,
  context,
  input: z.object({ uuid: uuid().describe('Job.'), ...resumable }),
  output: jobRun,
  errors: [],
});
