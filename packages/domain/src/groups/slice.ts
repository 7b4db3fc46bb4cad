import { defineSlice } from '../kernel/slice.ts';
import { campaigns } from './campaigns.ts';
import * as contract from './contract.ts';
import { planRemindersJob, remindMemberJob } from './jobs.ts';
import { legacy } from './legacy.ts';
import { groups } from './router.ts';
import { settings } from './settings.ts';

const { addAssociation, listMembers, removeAssociations } = contract;
const { association, member } = contract;

export const groupsSlice = defineSlice({
  name: 'groups',
  namespaces: {
    groups: {
      tag: 'Groups of the LMS whose members may redeem through a policy.',
      router: groups,
      contracts: { addAssociation, listMembers, removeAssociations },
      models: { association, member },
      legacy,
    },
  },
  // Runs hourly, although each day is planned once, so that a temporary outage of the LMS loses no reminder.
  jobs: [{ job: planRemindersJob, cron: '23 * * * *' }, remindMemberJob],
  settings,
  campaigns,
});
