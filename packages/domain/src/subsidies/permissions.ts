import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

/** The role mapping of enterprise-subsidy. */
export const permissions = definePermissions('subsidy', {
  can_read_metadata: ['subsidy_learner'],
  can_read_transactions: ['subsidy_learner'],
  can_read_subsidies: ['subsidy_admin'],
  can_read_all_transactions: ['subsidy_admin'],
  can_write_subsidies: ['subsidy_operator'],
  can_create_transactions: ['subsidy_operator'],
});

export const roles: RoleSources = {
  system: {
    enterprise_learner: ['subsidy_learner'],
    enterprise_admin: ['subsidy_learner', 'subsidy_admin'],
    enterprise_openedx_operator: ['subsidy_learner', 'subsidy_admin', 'subsidy_operator'],
  },
  stored: {
    enterprise_subsidy_learner: 'subsidy_learner',
    enterprise_subsidy_admin: 'subsidy_admin',
    enterprise_subsidy_operator: 'subsidy_operator',
  },
};
