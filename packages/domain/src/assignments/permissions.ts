import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

export const configurationPermissions = definePermissions('content_assignment_configuration', {
  has_read_access: ['assignments_operator', 'assignments_admin'],
  has_write_access: ['assignments_operator'],
  has_acknowledge_access: ['assignments_operator', 'assignments_admin', 'assignments_learner'],
});

export const assignmentPermissions = definePermissions('content_assignment', {
  has_admin_read_access: ['assignments_operator', 'assignments_admin'],
  has_admin_write_access: ['assignments_operator', 'assignments_admin'],
  has_learner_read_access: ['assignments_operator', 'assignments_admin', 'assignments_learner'],
});

export const roles: RoleSources = {
  system: {
    enterprise_learner: ['assignments_learner'],
    enterprise_admin: ['assignments_admin'],
    enterprise_openedx_operator: ['assignments_operator'],
  },
  stored: {
    enterprise_access_content_assignments_learner: 'assignments_learner',
    enterprise_access_content_assignments_admin: 'assignments_admin',
    enterprise_access_content_assignments_operator: 'assignments_operator',
  },
};
