import { z } from 'zod';
import { defineContract, ofPlatform } from '../../kernel/contract.ts';
import { pageInput, pageOutput } from '../../kernel/page.ts';
import { permissions } from '../permissions.ts';

export const PRODUCTS = '/api/v1/provisioning-admins/products/';
export const PLAN_TYPES = '/api/v1/provisioning-admins/plan-types/';
const INT32 = 2_147_483_647;
const permission = permissions.has_provisioning_admin_access;
const pages = pageInput({ defaultSize: 100, maximumSize: 100 });

/** What is sold. */
export const product = z
  .object({
    id: z.int().describe('Identifies the product.'),
    name: z.string().describe('Name, unique for its plan type.'),
    description: z.string().describe('Description.'),
    salesforceProductId: z.string().nullable().describe('Product in Salesforce.'),
    netsuiteId: z.int().nullable().describe('Product in NetSuite; several can have the same.'),
    planType: z.int().describe('Plan type.'),
    planTypeLabel: z.string().describe('Its label.'),
  })
  .meta({ title: 'Product' });
export type Product = z.infer<typeof product>;

/** Kind of plans, with what their products need. */
export const planType = z
  .object({
    id: z.int().describe('Identifies the plan type.'),
    label: z.string().describe('Unique label.'),
    description: z.string().describe('Description.'),
    isPaidSubscription: z.boolean().describe('Whether customers pay.'),
    nsIdRequired: z.boolean().describe('Whether products need a NetSuite id.'),
    sfIdRequired: z.boolean().describe('Whether plans need a line item of Salesforce.'),
    internalUseOnly: z.boolean().describe('Whether it is for tests.'),
  })
  .meta({ title: 'PlanType' });
export type PlanType = z.infer<typeof planType>;

const productFields = {
  name: z.string().trim().min(1).max(128).describe('Name, unique for its plan type.'),
  description: z.string().trim().max(255).describe('Description.'),
  salesforceProductId: z.string().trim().max(255).nullable().describe('Product in Salesforce.'),
  netsuiteId: z.int().min(0).max(INT32).nullable().describe('Product in NetSuite, required by some plan types.'),
  planType: z.int().max(INT32).describe('Plan type.'),
};

export const list = defineContract({
  summary: 'Products, in the order of their ids.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: PRODUCTS },
  input: z.object(pages),
  output: pageOutput(product),
  errors: [],
});

export const create = defineContract({
  summary: 'Create a product.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: PRODUCTS, status: 201 },
  input: z.object({
    ...productFields,
    description: productFields.description.default(''),
    salesforceProductId: productFields.salesforceProductId.default(null),
    netsuiteId: productFields.netsuiteId.default(null),
  }),
  output: product,
  errors: [],
});

export const update = defineContract({
  summary: 'Update fields of a product; omitted fields are not changed.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'PATCH', path: `${PRODUCTS}{id}/` },
  input: z.object({ id: z.int().max(INT32).describe('Product.'), ...z.object(productFields).partial().shape }),
  output: product,
  errors: [],
});

const planTypeFields = {
  label: z.string().trim().min(1).max(128).describe('Unique label.'),
  description: z.string().trim().max(255).describe('Description.'),
  isPaidSubscription: z.boolean().describe('Whether customers pay.'),
  nsIdRequired: z.boolean().describe('Whether products need a NetSuite id.'),
  sfIdRequired: z.boolean().describe('Whether plans need a line item of Salesforce.'),
  internalUseOnly: z.boolean().describe('Whether it is for tests.'),
};

export const listPlanTypes = defineContract({
  summary: 'Plan types, in the order of their ids.',
  kind: 'query',
  permission,
  context: ofPlatform,
  rest: { method: 'GET', path: PLAN_TYPES },
  input: z.object(pages),
  output: pageOutput(planType),
  errors: [],
});

export const createPlanType = defineContract({
  summary: 'Create a plan type.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'POST', path: PLAN_TYPES, status: 201 },
  input: z.object({
    ...planTypeFields,
    description: planTypeFields.description.default(''),
    isPaidSubscription: planTypeFields.isPaidSubscription.default(true),
    nsIdRequired: planTypeFields.nsIdRequired.default(true),
    sfIdRequired: planTypeFields.sfIdRequired.default(true),
    internalUseOnly: planTypeFields.internalUseOnly.default(false),
  }),
  output: planType,
  errors: [],
});

export const updatePlanType = defineContract({
  summary: 'Update fields of a plan type; omitted fields are not changed.',
  kind: 'mutation',
  permission,
  context: ofPlatform,
  rest: { method: 'PATCH', path: `${PLAN_TYPES}{id}/` },
  input: z.object({ id: z.int().max(INT32).describe('Plan type.'), ...z.object(planTypeFields).partial().shape }),
  output: planType,
  errors: [],
});
