import { expect, test } from 'vitest';
import type { PlanRow } from '../rules.ts';
import { daysBetween, windowAfter, windowBefore } from './expiration-rules.ts';
import { shortDate } from './mails.ts';
import { thresholdOf } from './utilization.ts';

const now = new Date('2026-11-28T09:07:00Z');
const isIn = ({ from, to }: { from: Date; to: Date }, at: string) => from <= new Date(at) && new Date(at) < to;

test.each([
  ['2026-12-28T00:00:00Z', 30],
  ['2026-12-28T23:59:59Z', 30],
  ['2026-12-29T00:00:00Z', null],
  // W-LICX-04: a day that was missed is caught up with.
  ['2026-12-27T23:59:59Z', 29],
  ['2026-11-28T09:07:01Z', 0],
  ['2026-11-28T09:07:00Z', null],
])('example 5: 30 days before, a plan that ends at %s is %j days away', (at, days) => {
  expect(isIn(windowBefore(now, 30), at)).toBe(days !== null);
  if (days !== null) expect(daysBetween(now, new Date(at))).toBe(days);
});

test.each([
  ['2026-11-27T23:59:59Z', 1],
  ['2026-11-21T00:00:00Z', 7],
  ['2026-11-20T23:59:59Z', null],
  ['2026-11-28T00:00:00Z', null],
])('example 6: 7 days after, a plan that ended at %s did so %j days ago', (at, days) => {
  expect(isIn(windowAfter(now, 7), at)).toBe(days !== null);
  if (days !== null) expect(daysBetween(new Date(at), now)).toBe(days);
});

test('example 6: a plan that ends today is due tomorrow, with one day', () => {
  const tomorrow = new Date('2026-11-29T09:07:00Z');
  expect(isIn(windowAfter(tomorrow, 7), '2026-11-28T00:00:00Z')).toBe(true);
  expect(daysBetween(new Date('2026-11-28T00:00:00Z'), tomorrow)).toBe(1);
});

const plan = (unassignedCount: number, assignedCount: number, activatedCount: number) =>
  ({ unassignedCount, assignedCount, activatedCount }) as PlanRow;

test.each([
  ['nothing to allocate', plan(0, 0, 0), null],
  ['2 of 4', plan(2, 1, 1), null],
  ['3 of 4', plan(1, 1, 2), 'limited_allocations_remaining'],
  ['99 of 100', plan(1, 0, 99), 'limited_allocations_remaining'],
  ['4 of 4', plan(0, 2, 2), 'no_allocations_remaining'],
])('R-LIC-91, example 17: %s', (_case, counts, threshold) => {
  expect(thresholdOf(counts)).toBe(threshold);
});

test('dates in mails are as the old service wrote them', () => {
  expect(shortDate(new Date('2025-11-01T23:00:00Z'))).toBe('Nov 1, 2025');
});
