import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { ordering } from '../kernel/order.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { permissions } from './permissions.ts';

export const subsidyTypes = ['license', 'coupon', 'learner_credit'] as const;
export type SubsidyType = (typeof subsidyTypes)[number];

/** Which kind of subsidy the learners of a customer can request. */
export const requestConfiguration = z
  .object({
    enterpriseCustomerUuid: z.string().describe('Customer.'),
    subsidyRequestsEnabled: z.boolean().describe('Whether learners can make requests.'),
    subsidyType: openEnum(subsidyTypes).nullable().describe('What they request; null is not decided yet.'),
    changedByLmsUserId: z.int().nullable().describe('Who changed it last, by account on the platform.'),
  })
  .meta({ title: 'RequestConfiguration' });
export type RequestConfiguration = z.infer<typeof requestConfiguration>;

/** Only one kind of subsidy can be requested from a customer. */
export const requestsEnabledElsewhere = defineError({
  code: 'requests_enabled_elsewhere',
  status: 422,
  message:
    'Browse & Request is already enabled for learner credit. Only one subsidy type can have Browse & Request enabled at a time.',
  details: z.object({}),
});

const BASE = '/api/v1/customer-configurations/';
const customer = { from: 'customer', field: 'enterpriseCustomerUuid' } as const;
const enabled = () => z.boolean().describe('Whether learners can make requests.');
/** An empty text is null, for callers of the old service. */
const subsidyType = () =>
  z
    .enum(['', ...subsidyTypes])
    .nullable()
    .describe('What learners request; null or empty is not decided yet.');
export const configurationOrders = [
  'created',
  'enterprise_customer_uuid',
  'subsidy_requests_enabled',
  'subsidy_type',
] as const;

export const list = defineContract({
  summary: 'Configurations of Browse & Request that the caller can see, newest first.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: { ...customer, isListing: true },
  rest: { method: 'GET', path: BASE },
  input: z.object({
    enterpriseCustomerUuid: uuid().optional().describe('Only of this customer.'),
    subsidyRequestsEnabled: z.boolean().optional().describe('Only enabled, or only disabled ones.'),
    subsidyType: z.enum(subsidyTypes).optional().describe('Only of this kind.'),
    ordering: ordering(configurationOrders, '-created'),
    ...pageInput({ defaultSize: 100, maximumSize: 500 }),
  }),
  output: pageOutput(requestConfiguration),
  errors: [],
});

export const get = defineContract({
  summary: 'Configuration of Browse & Request of a customer; not found if there is none.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: customer,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}{enterpriseCustomerUuid}/` },
  input: z.object({ enterpriseCustomerUuid: uuid().describe('Customer.') }),
  output: requestConfiguration,
  errors: [],
});

export const create = defineContract({
  summary: 'Configure Browse & Request of a customer.',
  kind: 'mutation',
  permission: permissions.has_admin_access,
  context: customer,
  denial: 'Missing',
  rest: { method: 'POST', path: BASE, status: 201 },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer; one configuration each.'),
    subsidyRequestsEnabled: enabled().default(false),
    subsidyType: subsidyType().default(null),
  }),
  output: requestConfiguration,
  errors: [requestsEnabledElsewhere],
});

export const update = defineContract({
  summary: 'Change the configuration of Browse & Request of a customer.',
  kind: 'mutation',
  permission: permissions.has_admin_access,
  context: customer,
  denial: 'Missing',
  rest: { method: 'PATCH', path: `${BASE}{enterpriseCustomerUuid}/` },
  input: z.object({
    enterpriseCustomerUuid: uuid().describe('Customer.'),
    subsidyRequestsEnabled: enabled().optional(),
    subsidyType: subsidyType().optional(),
    sendNotification: z
      .boolean()
      .default(false)
      .describe('Tell learners whose open requests are declined by a change of the subsidy type.'),
  }),
  output: requestConfiguration,
  errors: [requestsEnabledElsewhere],
});
