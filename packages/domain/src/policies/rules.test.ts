import { describe, expect, test } from 'vitest';
import {
  brokenConstraints,
  ceilingApplies,
  ceilingMessage,
  endOfDayIn,
  exceeds,
  isLateRedemptionAllowed,
  retiredAt,
  spendAvailable,
} from './rules.ts';

const now = new Date('2026-03-30T12:00:00Z');
const earlier = new Date('2026-01-01T00:00:00Z');

// Worked examples 1 and 14; allocations count as spent.
test.each([
  [1, 10_000, 9_000, 1_000, false],
  [1, 10_000, 9_000, 1_001, true],
  [14, 10_000, 4_000, 7_000, true],
  [14, 10_000, 4_000, 6_000, false],
  [14, 15_000, 2_000, 7_000, false],
  [14, 7_999, 1_000, 7_000, true],
  [14, 8_000, 1_000, 7_000, false],
  [1, null, 1e9, 1e9, false],
  [1, 0, 0, 0, false],
])(
  'R-POL-13, example %i: within %s with %i gone, another %i exceeds the limit: %s',
  (_example, limit, spent, price, expected) => {
    expect(exceeds(limit, spent, price)).toBe(expected);
  },
);

// Worked example 15: 9 at the start, 3 redeemed.
test.each([
  [8, 3, 2],
  [999, 3, 3],
  [null, 3, 3],
  [0, 1, 0],
])('example 15: a limit of %s with %i allocated leaves %i', (spendLimitCents, allocatedCents, left) => {
  const facts = { spendLimitCents, spentCents: 3, allocatedCents };
  const subsidy = { subsidyBalanceCents: 6, subsidyReservedCents: allocatedCents };
  expect(spendAvailable({ ...facts, ...subsidy })).toBe(left);
});

describe('example 16: limits are compared with deposits whenever they may rise', () => {
  const policy = (active: boolean, spendLimitCents: number | null) => ({ active, spendLimitCents });
  test.each([
    ['raising a limit', policy(true, 10_000), policy(true, 10_001), true],
    ['activating', policy(false, 10_000), policy(true, 10_000), true],
    ['a new active policy', null, policy(true, 50_000), true],
    ['a new active policy without a limit', null, policy(true, null), false],
    ['a new inactive policy', null, policy(false, 50_000), false],
    ['deactivating', policy(true, 10_000), policy(false, 10_000), false],
    ['changing an inactive one', policy(false, 10_000), policy(false, 90_000), false],
    ['changing neither', policy(true, 10_000), policy(true, 10_000), false],
  ])('%s', (_what, before, after, expected) => {
    expect(ceilingApplies(before, after)).toBe(expected);
  });
  test('the refusal names both sums', () => {
    expect(ceilingMessage('<P uuid=u>', 5_000_100, 5_000_000)).toMatch(
      /^<P uuid=u> You cannot make this change, .* Error: \$50,001\.00 is greater than \$50,000\.00$/,
    );
  });
});

describe('each type demands its own fields (R-POL-02)', () => {
  const none = {
    spendLimitCents: null,
    perLearnerSpendLimitCents: null,
    perLearnerEnrollmentLimit: null,
    assignmentConfigurationUuid: null,
  };
  const all = {
    spendLimitCents: 1,
    perLearnerSpendLimitCents: 0,
    perLearnerEnrollmentLimit: 0,
    assignmentConfigurationUuid: 'u',
  };
  test.each([
    ['PerLearnerEnrollmentCreditAccessPolicy', none, []],
    [
      'PerLearnerEnrollmentCreditAccessPolicy',
      all,
      ['must not define a per-learner spend limit.', 'must not relate to an AssignmentConfiguration.'],
    ],
    ['PerLearnerSpendCreditAccessPolicy', none, []],
    ['PerLearnerSpendCreditAccessPolicy', all, ['must not define a per-learner enrollment limit.']],
    ['AssignedLearnerCreditAccessPolicy', none, ['must define a spend_limit.']],
    ['AssignedLearnerCreditAccessPolicy', { ...none, spendLimitCents: 0 }, []],
    [
      'AssignedLearnerCreditAccessPolicy',
      all,
      ['must not define a per-learner spend limit.', 'must not define a per-learner enrollment limit.'],
    ],
  ])('%s', (policyType, fields, messages) => {
    expect(brokenConstraints({ policyType, ...fields }).map(({ message }) => message)).toEqual(messages);
  });
});

describe('retired_at follows retired (R-POL-05)', () => {
  test.each([
    [
      'retiring stamps the time, whatever was given',
      { retired: false, retiredAt: null },
      { retired: true, retiredAt: earlier },
      now,
    ],
    ['returning clears it', { retired: true, retiredAt: earlier }, { retired: false, retiredAt: earlier }, null],
    [
      'an explicit time counts while retired stays',
      { retired: true, retiredAt: now },
      { retired: true, retiredAt: earlier },
      earlier,
    ],
    ['a policy made retired keeps the time given', null, { retired: true, retiredAt: earlier }, earlier],
    ['a policy made retired has a time in any case', null, { retired: true, retiredAt: null }, now],
    ['a new policy has none', null, { retired: false, retiredAt: null }, null],
  ])('%s', (_what, before, after, expected) => {
    expect(retiredAt(before, after, now)).toEqual(expected);
  });
});

describe('late redemption lasts to the end of a day in UTC (R-POL-31)', () => {
  test.each([
    [1, '2026-03-31T23:59:59.999Z'],
    [2, '2026-04-01T23:59:59.999Z'],
    [7, '2026-04-06T23:59:59.999Z'],
  ])('%i days', (days, end) => {
    expect(endOfDayIn(days, now).toISOString()).toBe(end);
    expect(isLateRedemptionAllowed(endOfDayIn(days, now), now)).toBe(true);
  });
  test.each([null, earlier, now])('not after %s', (until) => {
    expect(isLateRedemptionAllowed(until, now)).toBe(false);
  });
});
