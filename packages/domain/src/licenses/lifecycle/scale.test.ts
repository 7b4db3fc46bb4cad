import { expect, test } from 'vitest';
import { licensesToAdd } from './scale.ts';

const scaling = (maximum: number | null, threshold: number | null, increment: number | null) => ({
  autoScalingMaxLicenses: maximum,
  autoScalingThresholdPercentage: threshold,
  autoScalingIncrementPercentage: increment,
});
const plan = (total: number, allocated: number) => ({
  unassignedCount: total - allocated,
  assignedCount: Math.floor(allocated / 2),
  activatedCount: Math.ceil(allocated / 2),
});

test.each([
  ['example 13: 60 % are free, less than 70 %', scaling(100, 30, 50), plan(10, 4), 5],
  ['example 13: 73.3 % are free', scaling(100, 30, 50), plan(15, 4), 0],
  ['example 13: up to the maximum', scaling(100, 30, 50), plan(95, 90), 5],
  ['exactly the part beyond the threshold is free', scaling(100, 30, 50), plan(10, 3), 0],
  ['the maximum is reached', scaling(100, 30, 50), plan(100, 100), 0],
  ['the maximum is passed', scaling(100, 30, 50), plan(110, 110), 0],
  ['fractions are cut off', scaling(100, 30, 33), plan(10, 10), 3],
  ['an empty plan does not grow', scaling(100, 30, 50), plan(0, 0), 0],
  ['W-33: no maximum', scaling(null, 30, 50), plan(10, 10), null],
  ['W-33: no threshold', scaling(100, null, 50), plan(10, 10), null],
  ['W-33: no increment', scaling(100, 30, null), plan(10, 10), null],
])('R-LIC-58: %s', (_case, agreement, counts, added) => {
  expect(licensesToAdd(agreement, counts)).toBe(added);
});
