import { defineSlice } from '../kernel/slice.ts';
import * as contract from './contract.ts';
import { workflowJobs } from './jobs.ts';
import { permissions, roles } from './permissions.ts';
import { workflows } from './router.ts';
import * as store from './store.ts';
import { tables } from './tables.ts';

const { cancel, fork, get, list, progress, resume, skip } = contract;

export const workflowSlice = defineSlice({
  name: 'workflow',
  tables,
  namespaces: {
    workflows: {
      tag: 'Work in several steps that survives crashes.',
      router: workflows,
      contracts: { cancel, fork, get, list, progress, resume, skip },
      models: {
        workflow: contract.workflowView,
        workflowStep: contract.workflowStep,
        workflowSummary: contract.workflowSummary,
      },
    },
  },
  permissions: Object.values(permissions),
  roles,
  owners: {
    workflow: {
      find: async (db, uuid) => (await store.find(db, uuid))?.enterpriseCustomerUuid ?? null,
      remembered: false,
    },
  },
  jobs: workflowJobs,
});
