import { definePermissions, type RoleSources } from '../../src/kernel/permissions.ts';

export const permissions = definePermissions('greeting', { can_greet: ['greeter'] });

export const roles: RoleSources = { system: { enterprise_admin: ['greeter'] }, stored: {} };
