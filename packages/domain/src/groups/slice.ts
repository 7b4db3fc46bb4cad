import { ENTERPRISE_CORE, platformEvent } from '../kernel/event.ts';
import { defineSlice } from '../kernel/slice.ts';
import { campaigns } from './campaigns.ts';
import * as contract from './contract.ts';
import enterpriseGroup from './enterprise-group.json' with { type: 'json' };
import { planRemindersJob, remindMemberJob } from './jobs.ts';
import { legacy } from './legacy.ts';
import { groups } from './router.ts';
import { settings } from './settings.ts';

const { addAssociation, listMembers, removeAssociations } = contract;
const { association, member } = contract;

/** Nobody here reads it, but it comes in a topic that is read, and must be known to be no error. */
const groupDeleted = platformEvent(
  'org.openedx.enterprise.enterprise_group.deleted.v1',
  ENTERPRISE_CORE,
  enterpriseGroup,
);

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
  events: [groupDeleted],
  settings,
  campaigns,
});
