import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

/** In tokens only: there is no stored role for it. */
export const permissions = definePermissions('provisioning', { can_create: ['provisioning_admin'] });

export const roles: RoleSources = {
  system: {
    enterprise_openedx_operator: ['provisioning_admin'],
    enterprise_provisioning_admin: ['provisioning_admin'],
  },
  stored: {},
};
