import { z } from 'zod';
import { defineContract } from '../../src/kernel/contract.ts';
import { uuid } from '../../src/kernel/ids.ts';
import { permissions } from './permissions.ts';

/** What is said to a customer. */
export const greeting = z.object({
  text: z.string().describe('The greeting.'),
  enterpriseCustomerUuid: z.string().describe('Whom it is for.'),
});

export const greet = defineContract({
  summary: 'Greet a customer.',
  kind: 'query',
  permission: permissions.can_greet,
  context: { from: 'customer', field: 'enterpriseCustomerUuid' },
  rest: { method: 'GET', path: '/api/v1/greetings/{enterpriseCustomerUuid}/' },
  input: z.object({ enterpriseCustomerUuid: uuid().describe('Whom to greet.') }),
  output: greeting,
  errors: [],
});
