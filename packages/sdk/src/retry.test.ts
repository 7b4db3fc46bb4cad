import { expect, test } from 'vitest';
import { delayMs, isRetryableStatus, retryAfterMs } from './retry.ts';

test.each([
  [1, 0, 500],
  [2, 0, 1_000],
  [3, 0, 2_000],
  [10, 0, 8_000],
  [1, 1, 375],
  [10, 1, 6_000],
])('before repeat %i, with a random number of %d, %i ms pass', (attempt, random, expected) => {
  expect(delayMs(attempt, null, () => random)).toBe(expected);
});

test('Retry-After takes precedence, unless it is too long', () => {
  expect(delayMs(1, 0)).toBe(0);
  expect(delayMs(1, 60_000)).toBe(60_000);
  expect(delayMs(1, 60_001)).toBeNull();
});

test.each([
  ['seconds', { 'retry-after': '7' }, 7_000],
  // Ours may be an hour off; the difference of theirs is right.
  ['a date', { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT', date: 'Sun, 06 Nov 1994 08:49:07 GMT' }, 30_000],
  [
    'a date that has passed',
    { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT', date: 'Sun, 06 Nov 1994 08:50:00 GMT' },
    0,
  ],
  ['a date without a clock to read it by', { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' }, null],
  ['nonsense', { 'retry-after': 'soon' }, null],
  ['nothing', {}, null],
])('Retry-After with %s', (_what, headers, expected) => {
  expect(retryAfterMs(new Headers(headers as Record<string, string>))).toBe(expected);
});

test.each([
  [400, false],
  [408, true],
  [409, false],
  [413, false],
  [429, true],
  [500, false],
  [502, true],
  [503, true],
  [504, true],
])('status %i can succeed later: %s', (status, expected) => {
  expect(isRetryableStatus(status)).toBe(expected);
});
