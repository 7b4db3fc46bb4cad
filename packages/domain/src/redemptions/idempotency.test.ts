import { describe, expect, test } from 'vitest';
import type { LedgerTransaction, Reversal, TransactionState } from '../kernel/ports/ledger.ts';
import { endedAttempts, redemptionKey } from './idempotency.ts';

const SUBSIDY = 'f492b063-42bb-40dd-8464-6b5668329f1d';
const POLICY = '4ca49903-b66a-4fe9-a139-79d829deb944';
const ONE = 'd459818c-458d-485b-a758-a0a060f8a7c4';
const TWO = '69beac67-52e2-47e0-994b-b0e1fac85845';
const attempt = { lmsUserId: 12345, contentKey: 'course-v1:edX+test+content', policyUuid: POLICY };
const PREFIX = `ledger-for-subsidy-${SUBSIDY}-`;

// Worked example 4: redemptions in flight while the service is replaced keep their keys.
test.each([
  [[ONE, TWO], '423a5bd5f0c19e7d750b03e9f21a04c7'],
  [[], '8f2a630ff52dd1c89bbd624e4c2bc3dc'],
])('the key is the one that the old service made, after %s', (ended, digest) => {
  expect(redemptionKey(SUBSIDY, { ...attempt, endedAttempts: ended })).toBe(PREFIX + digest);
});

test('another learner, content, policy or history is another key', () => {
  const base = { ...attempt, endedAttempts: [] };
  const attempts = [
    base,
    { ...base, lmsUserId: 1 },
    { ...base, contentKey: 'course-v1:edX+test+other' },
    { ...base, contentKey: "course-v1:edX+it's+quoted" },
    { ...base, policyUuid: TWO },
    { ...base, endedAttempts: [ONE] },
    { ...base, endedAttempts: [ONE, TWO] },
  ];
  expect(new Set(attempts.map((each) => redemptionKey(SUBSIDY, each))).size).toBe(attempts.length);
});

const time = new Date('2026-01-01T00:00:00Z');
const reversed = (state: TransactionState): Reversal => ({
  uuid: TWO,
  state,
  idempotencyKey: 'r',
  quantityCents: 1,
  metadata: null,
  created: time,
  modified: time,
});
const transaction = (
  state: TransactionState,
  reversal: Reversal | null = null,
  policy = POLICY,
): LedgerTransaction => ({
  uuid: ONE,
  state,
  idempotencyKey: 'k',
  subsidyUuid: SUBSIDY,
  lmsUserId: 12345,
  lmsUserEmail: null,
  contentKey: attempt.contentKey,
  parentContentKey: null,
  contentTitle: null,
  courseRunStartDate: null,
  quantityCents: -1,
  fulfillmentIdentifier: null,
  subsidyAccessPolicyUuid: policy,
  metadata: null,
  created: time,
  modified: time,
  reversal,
});

describe('example 5: a new key only after an attempt that is over', () => {
  test.each([
    ['created', transaction('created'), false],
    ['pending', transaction('pending'), false],
    ['committed', transaction('committed'), false],
    ['committed with a reversal on its way', transaction('committed', reversed('pending')), false],
    ['committed with a failed reversal', transaction('committed', reversed('failed')), false],
    ['failed', transaction('failed'), true],
    ['committed and reversed', transaction('committed', reversed('committed')), true],
    ['failed through another policy', transaction('failed', null, TWO), false],
  ])('%s', (_what, found, isOver) => {
    expect(endedAttempts([found], POLICY)).toEqual(isOver ? [ONE] : []);
  });
});
