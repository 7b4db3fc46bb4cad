import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

export const permissions = definePermissions('requests', {
  has_admin_access: ['requests_admin'],
  has_learner_or_admin_access: ['requests_admin', 'requests_learner'],
});

export const roles: RoleSources = {
  system: {
    enterprise_learner: ['requests_learner'],
    enterprise_admin: ['requests_admin'],
    enterprise_openedx_operator: ['requests_admin'],
  },
  stored: {
    enterprise_access_requests_learner: 'requests_learner',
    enterprise_access_requests_admin: 'requests_admin',
  },
};
