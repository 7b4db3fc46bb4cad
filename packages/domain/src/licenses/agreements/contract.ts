import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { uuid } from '../../kernel/ids.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';
import { agreement } from '../view-contract.ts';

export const BASE = '/api/v1/customer-agreement/';
const activePlansOnly = z.boolean().default(true).describe('Leave out plans that are not active.');

export const list = defineContract({
  summary: 'The customer agreements that the caller may see, with their plans.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid', isListing: true },
  rest: { method: 'GET', path: BASE },
  input: z.object({
    enterpriseCustomerUuid: uuid().optional().describe('Only the agreement of this customer.'),
    activePlansOnly,
    ...pageInput({ defaultSize: 100, maximumSize: 100 }),
  }),
  output: pageOutput(agreement),
  errors: [],
});

export const get = defineContract({
  summary: 'One customer agreement with its plans.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: { from: 'agreement', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{uuid}/` },
  input: z.object({ uuid: uuid().describe('Agreement.'), activePlansOnly }),
  output: agreement,
  errors: [],
});
