import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { uuid } from '../../kernel/ids.ts';
import { permissions } from '../permissions.ts';
import { BASE } from './contract.ts';

const priority = z.int().min(-1_000).max(1_000).describe('Plans with a higher priority come first; 0 unless set.');

export const setPriority = defineContract({
  summary: 'Decide which plan’s licence is used when a learner has several that give a course.',
  kind: 'mutation',
  permission: permissions.has_admin_access,
  context: { from: 'plan', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'PUT', path: `${BASE}{uuid}/priority/` },
  input: z.object({ uuid: uuid().describe('Plan.'), priority }),
  output: z.object({ priority }).meta({ title: 'PlanPriority' }),
  errors: [],
});
