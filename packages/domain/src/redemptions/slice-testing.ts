import { demonstration } from '../demonstration.ts';
import type { SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  examples: { contentKey: demonstration.run, lmsUserId: 1000 },
};
