import { defineSlice } from '../kernel/slice.ts';
import { assignmentConfigurations } from '../policies/index.ts';
import * as allocationContract from './allocation-contract.ts';
import { allocationLegacy } from './allocation-legacy.ts';
import { allocation } from './allocation-router.ts';
import { campaigns } from './campaigns.ts';
import * as contract from './contract.ts';
import { assignmentJobs } from './jobs.ts';
import { legacy } from './legacy.ts';
import { assignmentPermissions, configurationPermissions, roles } from './permissions.ts';
import { assignments } from './router.ts';
import { settings } from './settings.ts';
import { tables } from './tables.ts';

const { createConfiguration, deactivateConfiguration, getConfiguration, listConfigurations, updateConfiguration } =
  contract;
const { cancel, cancelAll, get, list, nudge, remind, remindAll } = contract;
const { acknowledge, getOwn, listOwn } = contract;
const { action, adminAssignment, assignment, configuration, learnerAssignment } = contract;
const { allocate, allocateInBulk, bulkReport, resumeBulk } = allocationContract;

export const assignmentsSlice = defineSlice({
  name: 'assignments',
  tables,
  namespaces: {
    assignments: {
      tag: 'Content that administrators assign to learners.',
      router: assignments,
      contracts: {
        acknowledge,
        cancel,
        cancelAll,
        createConfiguration,
        deactivateConfiguration,
        get,
        getConfiguration,
        getOwn,
        list,
        listConfigurations,
        listOwn,
        nudge,
        remind,
        remindAll,
        updateConfiguration,
      },
      models: { action, adminAssignment, assignment, configuration, learnerAssignment },
      legacy,
    },
    // Allocation is in the namespace `policies`, but implemented here.
    policies: {
      router: allocation,
      contracts: { allocate, allocateInBulk, bulkReport, resumeBulk },
      legacy: allocationLegacy,
    },
  },
  permissions: [...Object.values(configurationPermissions), ...Object.values(assignmentPermissions)],
  roles,
  owners: { configuration: { find: assignmentConfigurations.ownerOf, remembered: true } },
  jobs: assignmentJobs,
  settings,
  campaigns,
});
