import { defineSlice } from '../../src/kernel/slice.ts';
import { greet, greeting } from './contract.ts';
import { greetEverybodyJob } from './jobs.ts';
import { permissions, roles } from './permissions.ts';
import { greetings } from './router.ts';
import { settings } from './settings.ts';

export const greetingsSlice = defineSlice({
  name: 'greetings',
  namespaces: {
    greetings: {
      tag: 'Greetings of customers.',
      router: greetings,
      contracts: { greet },
      models: { greeting },
    },
  },
  permissions: Object.values(permissions),
  roles,
  jobs: [{ job: greetEverybodyJob, cron: '0 6 * * *' }],
  settings,
});
