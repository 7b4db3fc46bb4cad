import { describe, expect, test } from 'vitest';
import type { ErrorReason, RecentAction, State } from './contract.ts';
import { states } from './contract.ts';
import { budgetRefusal, following, learnerRequestState, requestRefusal, searchWords, wordsIn } from './rules.ts';

describe('R-REQ-90', () => {
  test.each<[string, State, RecentAction | null, ErrorReason | null, string | null]>([
    ['new', 'requested', 'requested', null, 'requested'],
    ['a failure comes first', 'cancelled', 'cancelled', 'email_error', 'failed'],
    ['approved', 'approved', 'approved', null, 'waiting'],
    ['reminded', 'approved', 'reminded', null, 'waiting'],
    ['approved without an action', 'approved', null, null, 'waiting'],
    ['declined', 'declined', 'declined', null, 'declined'],
    ['cancelled', 'cancelled', 'cancelled', null, 'cancelled'],
    ['error', 'error', 'requested', null, 'error'],
    ['accepted', 'accepted', 'accepted', null, null],
    ['expired', 'expired', 'expired', null, null],
    ['reversed', 'reversed', 'reversed', null, null],
    ['pending', 'pending', null, null, null],
  ])('%s', (_case, state, latestActionType, latestActionError, expected) => {
    expect(learnerRequestState({ state, latestActionType, latestActionError })).toBe(expected);
  });
});

test.each([
  [{ takesRequests: false, isActive: false, isSubsidyActive: false }, 'This policy does not support BNR.'],
  [{ takesRequests: true, isActive: false, isSubsidyActive: false }, 'policy_expired'],
  [{ takesRequests: true, isActive: true, isSubsidyActive: false }, 'subsidy_expired'],
  [{ takesRequests: true, isActive: true, isSubsidyActive: true }, null],
])('R-REQ-44: the first failure of the budget answers: %o', (facts, expected) => {
  expect(budgetRefusal(facts)).toBe(expected);
});

describe('R-REQ-45, worked example 5', () => {
  const right = { inCatalog: true, requestedCents: 20_000, canonicalCents: 20_000, lowerRatio: 0.95, upperRatio: 1.05 };
  test.each([
    ['the price of the catalog', {}, null],
    ['far too low', { requestedCents: 1_000 }, 'PriceValidationError'],
    ['the lower bound', { requestedCents: 19_000 }, null],
    ['the upper bound', { requestedCents: 21_000 }, null],
    ['free', { requestedCents: 0, canonicalCents: 0 }, null],
    ['not as free as requested', { requestedCents: 10, canonicalCents: 0 }, 'PriceValidationError'],
    ['no price requested', { requestedCents: null }, 'PriceValidationError'],
    ['no price known', { canonicalCents: null }, 'PriceValidationError'],
    ['the catalog answers first', { inCatalog: false, requestedCents: 1 }, 'content_not_in_catalog'],
  ] as const)('%s', (_case, change, expected) => {
    expect(requestRefusal({ ...right, ...change })).toBe(expected);
  });
});

test('R-REQ-91: only approved requests follow, and accepted ones when they are reversed', () => {
  const moved = (assignment: string) => states.filter((state) => following(state, assignment) !== null);
  expect(moved('accepted')).toEqual(['approved', 'error']);
  expect(moved('cancelled')).toEqual(['approved', 'error']);
  expect(moved('expired')).toEqual(['approved', 'error']);
  expect(moved('reversed')).toEqual(['accepted']);
  expect(moved('allocated')).toEqual([]);
  expect(moved('constructor')).toEqual([]);
  expect(following('approved', 'errored')).toMatchObject({ state: null, errorReason: 'failed_redemption' });
});

test('R-REQ-81: unknown words match nothing, no word is no filter', () => {
  expect(wordsIn(',requested,x,', states)).toEqual(['requested']);
  expect(wordsIn('x', states)).toEqual([]);
  expect(wordsIn(',', states)).toBeNull();
  expect(wordsIn(undefined, states)).toBeNull();
  expect(searchWords('  a  b ')).toEqual(['a', 'b']);
});
