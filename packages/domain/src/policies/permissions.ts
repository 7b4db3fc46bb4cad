import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

export const permissions = definePermissions('subsidy_access_policy', {
  has_read_access: ['policy_operator', 'policy_learner'],
  has_write_access: ['policy_operator'],
  has_redemption_access: ['policy_operator', 'policy_learner'],
  has_allocation_access: ['assignments_operator', 'assignments_admin', 'policy_operator'],
});

export const roles: RoleSources = {
  system: {
    enterprise_learner: ['policy_learner'],
    enterprise_admin: ['policy_learner'],
    enterprise_openedx_operator: ['policy_operator'],
  },
  stored: {
    enterprise_access_subsidy_access_policy_learner: 'policy_learner',
    enterprise_access_subsidy_access_policy_operator: 'policy_operator',
  },
};
