import { defineSlice } from '../kernel/slice.ts';
import * as contract from './contract.ts';
import { events } from './events.ts';
import { legacy } from './legacy.ts';
import { permissions, roles } from './permissions.ts';
import { policies } from './router.ts';
import { settings } from './settings.ts';
import { ownerOf } from './store.ts';
import { tables } from './tables.ts';

const { create, deactivate, deposit, get, list, setLateRedemption, update } = contract;

export const policiesSlice = defineSlice({
  name: 'policies',
  tables,
  events,
  namespaces: {
    policies: {
      tag: 'Rules and budgets over a subsidy.',
      router: policies,
      contracts: { create, deactivate, deposit, get, list, setLateRedemption, update },
      models: { policy: contract.policy },
      legacy,
    },
  },
  permissions: Object.values(permissions),
  roles,
  owners: { policy: { find: ownerOf, remembered: true } },
  settings,
});
