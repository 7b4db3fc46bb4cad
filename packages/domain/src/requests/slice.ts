import { defineSlice } from '../kernel/slice.ts';
import * as configurationContract from './configuration-contract.ts';
import * as contract from './contract.ts';
import { followAssignments } from './follow.ts';
import { requestJobs } from './jobs.ts';
import { configurationLegacy, legacy } from './legacy.ts';
import { campaigns } from './mails.ts';
import { permissions, roles } from './permissions.ts';
import { learnerCreditRequests, requestConfigurations } from './router.ts';
import { settings } from './settings.ts';
import { ownerOf } from './store.ts';
import { tables } from './tables.ts';

const { approve, approveAll, bulkCancel, cancel, cancelAll, create, decline, declineAll } = contract;
const { get, list, overview, remind, remindAll } = contract;

export const requestsSlice = defineSlice({
  name: 'requests',
  tables,
  namespaces: {
    requestConfigurations: {
      tag: 'Which kind of subsidy the learners of a customer can request.',
      router: requestConfigurations,
      contracts: {
        create: configurationContract.create,
        get: configurationContract.get,
        list: configurationContract.list,
        update: configurationContract.update,
      },
      models: { requestConfiguration: configurationContract.requestConfiguration },
      legacy: configurationLegacy,
    },
    learnerCreditRequests: {
      tag: 'Courses that learners request from budgets, and what administrators decide.',
      router: learnerCreditRequests,
      contracts: {
        approve,
        approveAll,
        bulkCancel,
        cancel,
        cancelAll,
        create,
        decline,
        declineAll,
        get,
        list,
        overview,
        remind,
        remindAll,
      },
      models: {
        learnerCreditRequest: contract.learnerCreditRequest,
        listedRequest: contract.listedRequest,
        requestAction: contract.requestAction,
      },
      legacy,
    },
  },
  permissions: Object.values(permissions),
  roles,
  owners: { learnerCreditRequest: { find: ownerOf, remembered: true } },
  jobs: requestJobs,
  followAssignments,
  settings,
  campaigns,
});
