import { expect, test } from 'vitest';
import { isRefundable, unenrolmentKey } from './refunds.ts';

const day = (text: string) => new Date(`${text}T00:00:00Z`);

// R-LED-18
test.each([
  ['thirteen days after the start', day('2026-03-14'), day('2026-03-01'), day('2026-02-01'), true],
  ['fourteen days after the start, to the moment', day('2026-03-15'), day('2026-03-01'), day('2026-02-01'), false],
  ['a late purchase counts from the purchase', day('2026-04-10'), day('2026-03-01'), day('2026-04-01'), true],
  ['before the start', day('2026-02-15'), day('2026-03-01'), day('2026-02-01'), true],
  ['no start is known', day('2026-02-02'), null, day('2026-02-01'), false],
])('%s', (_what, unenrolledAt, courseRunStartDate, purchased, expected) => {
  expect(isRefundable({ unenrolledAt, courseRunStartDate, purchased })).toBe(expected);
});

test('one end of one enrolment has one key', () => {
  expect(unenrolmentKey('f', '2026-03-02T10:00:00+00:00')).toBe('unenrollment-reversal-f-2026-03-02T10:00:00+00:00');
});
