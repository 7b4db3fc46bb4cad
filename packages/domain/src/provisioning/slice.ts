import { defineSlice } from '../kernel/slice.ts';
import type { Workflow } from '../kernel/workflow.ts';
import * as contract from './contract.ts';
import { legacy } from './legacy.ts';
import { permissions, roles } from './permissions.ts';
import { provisioning } from './router.ts';
import { settings } from './settings.ts';
import { provisionCustomer } from './workflow.ts';

const { create, updateSubscriptionPlanOli } = contract;

export const provisioningSlice = defineSlice({
  name: 'provisioning',
  namespaces: {
    provisioning: {
      tag: 'Building customers with everything that belongs to them.',
      router: provisioning,
      contracts: { create, updateSubscriptionPlanOli },
      models: { provisionedDocument: contract.document, newCustomerPlan: contract.planOutput },
      legacy,
    },
  },
  permissions: Object.values(permissions),
  roles,
  workflows: [provisionCustomer as unknown as Workflow],
  settings,
});
