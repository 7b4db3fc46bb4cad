import { administration, type SliceTesting } from '../../src/kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: { 'greeting.can_greet': administration.filter((role) => role === 'enterprise_admin') },
};
