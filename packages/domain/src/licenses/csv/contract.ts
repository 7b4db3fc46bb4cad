import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { permissions } from '../permissions.ts';
import { BASE, ofPlan, planUuid } from '../seats/contract.ts';

export const csv = defineContract({
  summary: 'Activated, assigned and revoked licences of a plan as CSV, part by part.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: ofPlan,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}csv/` },
  input: z.object({
    planUuid: planUuid(),
    cursor: z.string().max(200).optional().describe('Where to go on: `nextCursor` of the part before.'),
  }),
  output: z.object({
    content: z.string().describe('Lines of the file; the first part begins with the header, unless it has no lines.'),
    nextCursor: z.string().nullable().describe('Give it as `cursor` for the next part; null after the last.'),
  }),
  errors: [],
});
