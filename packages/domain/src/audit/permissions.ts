import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

export const permissions = definePermissions('audit', {
  has_read_access: ['audit_operator', 'audit_admin'],
  /** Also request ids, who of the staff it was, and words that are meant for support. */
  has_internal_access: ['audit_operator'],
});

export const roles: RoleSources = {
  system: {
    enterprise_admin: ['audit_admin'],
    enterprise_openedx_operator: ['audit_operator'],
  },
  stored: {
    enterprise_access_audit_admin: 'audit_admin',
    enterprise_access_audit_operator: 'audit_operator',
  },
};
