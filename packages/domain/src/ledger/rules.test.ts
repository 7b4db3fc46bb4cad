import { describe, expect, test } from 'vitest';
import {
  containing,
  depositKey,
  initialDepositKey,
  isAffordable,
  isExpired,
  isWindow,
  priceMessage,
  priceToCharge,
} from './rules.ts';

const early = new Date('2026-01-01T00:00:00Z');
const late = new Date('2026-06-01T00:00:00Z');

// Worked example 4, and prices whose bounds are no whole cents.
test.each([
  [10_000, 8_000, 8_000],
  [10_000, 12_000, 12_000],
  [10_000, 7_999, null],
  [10_000, 12_001, null],
  [10_000, 0, 10_000],
  [10_000, null, 10_000],
  [10_000, undefined, 10_000],
  [101, 80, null],
  [101, 81, 81],
  [101, 121, 121],
  [101, 122, null],
  [0, 0, 0],
  [0, 1, null],
])('canonical %s with %s requested costs %s', (canonical, requested, expected) => {
  expect(priceToCharge(canonical, requested)).toBe(expected);
});

test('a price out of bounds is refused with the message of the wire format', () => {
  expect(priceMessage(7_999, 10_000)).toBe(
    "['Requested price 7999 outside of acceptable interval on canonical course price of 10000.']",
  );
});

// Worked example 3.
test.each([
  [false, 14_900, 14_900, true],
  [false, 14_899, 14_900, false],
  [true, 100_000, 14_900, false],
  [false, 100_000, null, false],
  [false, 0, 0, true],
])(
  'redeemed %s, balance %s, price %s: affordable is %s',
  (hasStandingRedemption, balanceCents, priceCents, expected) => {
    expect(isAffordable({ hasStandingRedemption, balanceCents, priceCents })).toBe(expected);
  },
);

describe('time', () => {
  test.each([
    [early, late, true],
    [early, early, true],
    [late, early, false],
    [null, early, true],
    [late, null, true],
    [null, null, true],
  ])('from %s to %s is a window: %s', (active, expiration, expected) => {
    expect(isWindow(active, expiration)).toBe(expected);
  });

  test.each([
    [early, late, true],
    [late, late, false],
    [late, early, false],
    [null, late, false],
  ])('an end at %s is over at %s: %s', (expiration, now, expected) => {
    expect(isExpired(expiration, now)).toBe(expected);
  });
});

test.each([
  ['Ana', '%ana%'],
  ['Cafe\u0301', '%caf\u00e9%'],
  ['100%', '%100!%%'],
  ['a_b!', '%a!_b!!%'],
])('the text %s is searched as %s', (text, pattern) => {
  expect(containing(text)).toBe(pattern);
});

test('keys are those of the old service', () => {
  expect(initialDepositKey('s', 100)).toBe('ledger-for-subsidy-s-100-initial-deposit');
  expect(depositKey('l', 50_000, '00k1')).toBe('l-deposit-50000-sales-contract-00k1');
});
