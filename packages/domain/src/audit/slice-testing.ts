import { administration, operators, type SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: { 'audit.has_read_access': administration, 'audit.has_internal_access': operators },
};
