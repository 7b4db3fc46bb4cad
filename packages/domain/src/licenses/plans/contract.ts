import { z } from 'zod';
import { defineContract } from '../../kernel/contract.ts';
import { defineError } from '../../kernel/errors.ts';
import { uuid } from '../../kernel/ids.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';
import { plan } from '../view-contract.ts';

export const BASE = '/api/v1/subscriptions/';
export const LEARNER_BASE = '/api/v1/learner-subscriptions/';
const pages = pageInput({ defaultSize: 100, maximumSize: 100 });
const customer = () => uuid().optional().describe('Only plans of this customer.');

export const currentNeedsCustomer = defineError({
  code: 'current_needs_customer',
  status: 400,
  message: 'Current plan cannot be used without enterprise_uuid',
  details: z.object({}),
});

export const list = defineContract({
  summary: 'Subscription plans that the caller may see, the newest start first; of one customer only the active ones.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid', isListing: true },
  rest: { method: 'GET', path: BASE },
  input: z.object({
    enterpriseCustomerUuid: customer(),
    current: z
      .boolean()
      .optional()
      .describe('Only the plan of the customer that is active and current now and was created last.'),
    ...pages,
  }),
  output: pageOutput(plan),
  errors: [currentNeedsCustomer],
});

export const get = defineContract({
  summary: 'One subscription plan with its counts.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: { from: 'plan', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{uuid}/` },
  input: z.object({ uuid: uuid().describe('Plan.') }),
  output: plan,
  errors: [],
});

export const listForLearners = defineContract({
  summary: 'Active subscription plans of a customer, the newest start first, for its learners.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: { from: 'customer', field: 'enterpriseCustomerUuid', isListing: true },
  rest: { method: 'GET', path: LEARNER_BASE },
  input: z.object({ enterpriseCustomerUuid: customer(), ...pages }),
  output: pageOutput(plan),
  errors: [],
});

export const getForLearners = defineContract({
  summary: 'One active subscription plan of a customer, for its learners.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: { from: 'plan', field: 'uuid' },
  denial: 'Missing',
  rest: { method: 'GET', path: `${LEARNER_BASE}{uuid}/` },
  input: z.object({
    uuid: uuid().describe('Plan.'),
    enterpriseCustomerUuid: uuid().optional().describe('Customer of the plan; without it no plan is found.'),
  }),
  output: plan,
  errors: [],
});
