import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

export const permissions = definePermissions('workflow', {
  can_read: ['workflow_operator'],
  can_manage: ['workflow_operator'],
});

export const roles: RoleSources = {
  system: { enterprise_openedx_operator: ['workflow_operator'] },
  stored: {},
};
