import { demonstration } from '../demonstration.ts';
import { operators, type SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: { 'workflow.can_read': operators, 'workflow.can_manage': operators },
  contexts: { workflow: demonstration.workflow },
};
