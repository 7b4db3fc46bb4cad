import type { SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: { 'provisioning.can_create': ['enterprise_openedx_operator', 'enterprise_provisioning_admin'] },
};
