import { z } from 'zod';
import { defineContract, ofPlatform } from '../../kernel/contract.ts';
import { retirementPermission } from '../permissions.ts';

const INT32 = 2_147_483_647;

export const retireUser = defineContract({
  summary: 'Remove a user from all licences and from the trail of their changes, and delete the copy of the account.',
  kind: 'mutation',
  permission: retirementPermission,
  context: ofPlatform,
  rest: { method: 'POST', path: '/api/v1/retire_user/', status: 204 },
  input: z.object({
    lmsUserId: z.int().min(1).max(INT32).describe('Id of the user in the LMS.'),
    originalUsername: z.string().min(1).max(150).describe('Name of the user before the retirement.'),
  }),
  output: z.object({}).meta({ title: 'Retired' }),
  errors: [],
});
