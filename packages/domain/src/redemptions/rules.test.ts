import { describe, expect, test } from 'vitest';
import type { Content } from '../kernel/ports/catalog.ts';
import type { Subsidy } from '../kernel/ports/ledger.ts';
import { checks, type Facts, PRICE_UNKNOWN, type Reason, refusal, verdicts } from './rules.ts';

const now = new Date('2026-06-01T00:00:00Z');
const past = new Date('2001-01-01T00:00:00Z');
const tomorrow = new Date('2026-06-02T00:00:00Z');

const policy: Facts['policy'] = {
  uuid: 'p',
  policyType: 'PerLearnerSpendCreditAccessPolicy',
  active: true,
  retired: false,
  lateRedemptionAllowedUntil: null,
  spendLimitCents: null,
  spentCents: 0,
  allocatedCents: 0,
  perLearnerEnrollmentLimit: null,
  perLearnerSpendLimitCents: null,
  accessMethod: 'direct',
  learnerCreditRequestConfigUuid: null,
};
const content: Content = {
  contentKey: 'edX+DemoX',
  courseRunKey: 'course-v1:edX+DemoX+1',
  title: null,
  uuid: null,
  courseRunUuid: null,
  courseRunStartDate: null,
  source: 'edX',
  mode: 'verified',
  priceCents: 1_000,
  enrollByDate: null,
  variantId: null,
  details: {
    courseType: null,
    partners: [],
    imageUrl: null,
    startDate: null,
    endDate: null,
    priceUsd: null,
    pacing: null,
    weeksToComplete: null,
  },
};
const subsidy: Subsidy = {
  uuid: 's',
  enterpriseCustomerUuid: 'c',
  activeDatetime: past,
  expirationDatetime: tomorrow,
  balanceCents: 100_000,
  reservedCents: 0,
  depositsCents: 100_000,
};
const good: Facts = {
  now,
  policy,
  policyGroups: [],
  learnerGroups: [],
  inCatalog: true,
  content,
  subsidy,
  assignment: null,
  learnerSpentCents: 0,
  learnerRedemptionCount: 0,
  skipsDeadline: false,
};
type Partly = Omit<Partial<Facts>, 'policy'> & { policy?: Partial<Facts['policy']> };
const factsOf = (changes: Partly, base: Facts = good): Facts => ({
  ...base,
  ...changes,
  policy: { ...base.policy, ...changes.policy },
});
const priced = (priceCents: number | null): Content => ({ ...content, priceCents });

test('a learner within all limits may redeem', () => {
  expect(refusal(good)).toBeNull();
});

test.each<[Reason, string, Partly]>([
  ['policy_expired', 'an inactive policy', { policy: { active: false } }],
  ['policy_expired', 'a retired policy', { policy: { retired: true } }],
  ['learner_not_in_enterprise', 'a learner without a link', { learnerGroups: null }],
  ['learner_not_in_enterprise_group', 'a learner of another group', { policyGroups: ['g'], learnerGroups: ['h'] }],
  ['learner_not_in_enterprise_group', 'a group row that names none', { policyGroups: [null], learnerGroups: ['h'] }],
  ['content_not_in_catalog', 'content outside of the catalog', { inCatalog: false }],
  ['content_not_in_catalog', 'content that nobody describes', { content: null }],
  ['beyond_enrollment_deadline', 'a deadline in the past', { content: { ...content, enrollByDate: past } }],
  ['subsidy_expired', 'no subsidy', { subsidy: null }],
  ['subsidy_expired', 'a subsidy that ended', { subsidy: { ...subsidy, expirationDatetime: past } }],
  ['subsidy_expired', 'a subsidy of tomorrow', { subsidy: { ...subsidy, activeDatetime: tomorrow } }],
  ['not_enough_value_in_subsidy', 'a balance below the price', { subsidy: { ...subsidy, balanceCents: 999 } }],
  ['policy_spend_limit_reached', 'a limit one cent too small', { policy: { spendLimitCents: 999 } }],
  [
    'learner_max_enrollments_reached',
    'all enrollments taken',
    { policy: { perLearnerEnrollmentLimit: 1 }, learnerRedemptionCount: 1 },
  ],
  ['learner_max_enrollments_reached', 'a limit of none', { policy: { perLearnerEnrollmentLimit: 0 } }],
  ['learner_max_spend_reached', 'a share one cent too small', { policy: { perLearnerSpendLimitCents: 999 } }],
  [
    'reason_learner_not_assigned_content',
    'an assigned policy',
    { policy: { policyType: 'AssignedLearnerCreditAccessPolicy' } },
  ],
  [
    'reason_learner_not_assigned_content',
    'Browse & Request, whose approvals are assignments (R-POL-19)',
    { policy: { learnerCreditRequestConfigUuid: 'b', perLearnerSpendLimitCents: 0 } },
  ],
  [
    'access_by_request_only',
    'a policy that nobody may redeem from (R-RED-21)',
    { policy: { accessMethod: 'request' } },
  ],
])('%s: %s', (reason, _what, changes) => {
  expect(refusal(factsOf(changes))).toBe(reason);
});

test.each<[string, Partly]>([
  ['one shared group is enough', { policyGroups: ['g', 'h', null], learnerGroups: ['h', 'i'] }],
  ['the deadline itself still counts', { content: { ...content, enrollByDate: now } }],
  ['support skips deadlines', { content: { ...content, enrollByDate: past }, skipsDeadline: true }],
  [
    'a subsidy without dates is always active',
    { subsidy: { ...subsidy, activeDatetime: null, expirationDatetime: null } },
  ],
  ['the last cent of the subsidy can be spent', { subsidy: { ...subsidy, balanceCents: 1_000 } }],
  ['the last cent of the policy can be spent', { policy: { spendLimitCents: 1_000 } }],
  ['the last enrollment can be taken', { policy: { perLearnerEnrollmentLimit: 2 }, learnerRedemptionCount: 1 }],
])('%s', (_what, changes) => {
  expect(refusal(factsOf(changes))).toBeNull();
});

const assigned = { policy: { policyType: 'AssignedLearnerCreditAccessPolicy' } };
const inState = (state: NonNullable<Facts['assignment']>['state'], redemptionUuid: string | null = null) => ({
  uuid: 'a',
  state,
  redemptionUuid,
  priceCents: 700,
});

// R-RED-01, R-ASG-27.
test.each<[Reason | null, string, Facts['assignment']]>([
  [null, 'an allocated assignment', inState('allocated')],
  ['reason_learner_not_assigned_content', 'no assignment', null],
  ['reason_learner_not_assigned_content', 'an accepted one', inState('accepted')],
  ['reason_learner_not_assigned_content', 'one that is redeemed at this moment', inState('allocated', 'r')],
  ['reason_learner_assignment_cancelled', 'a cancelled one', inState('cancelled')],
  ['reason_learner_assignment_failed', 'one that failed', inState('errored')],
  ['reason_learner_assignment_expired', 'an expired one', inState('expired')],
  ['reason_learner_assignment_reversed', 'a reversed one', inState('reversed')],
])('step 10c answers %s for %s', (reason, _what, assignment) => {
  expect(refusal(factsOf({ ...assigned, assignment }))).toBe(reason);
});

// W18: the old service compared limits with the price of today and forgot what was promised to others.
test.each<[string, Partly, Reason | null]>([
  [
    'the assigned price counts, not today’s',
    {
      ...assigned,
      assignment: inState('allocated'),
      content: priced(9_000),
      subsidy: { ...subsidy, balanceCents: 700 },
    },
    null,
  ],
  [
    'a limit that was lowered below it holds',
    { policy: { ...assigned.policy, spendLimitCents: 699 }, assignment: inState('allocated') },
    'policy_spend_limit_reached',
  ],
  [
    'an assignment needs no price of the catalog',
    { ...assigned, assignment: inState('allocated'), content: priced(null) },
    null,
  ],
  [
    'what is held for others in the policy cannot be spent',
    { policy: { spendLimitCents: 1_500, allocatedCents: 501 } },
    'policy_spend_limit_reached',
  ],
  [
    'what is held for others in the subsidy cannot be spent',
    { subsidy: { ...subsidy, balanceCents: 1_500, reservedCents: 501 } },
    'not_enough_value_in_subsidy',
  ],
  ['what is not held can', { subsidy: { ...subsidy, balanceCents: 1_500, reservedCents: 500 } }, null],
])('%s', (_what, changes, expected) => {
  expect(refusal(factsOf(changes))).toBe(expected);
});

test('the first reason in the documented order decides', () => {
  const breakers: [Reason, Partly][] = [
    ['policy_expired', { policy: { retired: true } }],
    ['learner_not_in_enterprise', { learnerGroups: null }],
    ['learner_not_in_enterprise_group', { policyGroups: ['g'] }],
    ['content_not_in_catalog', { inCatalog: false }],
    ['beyond_enrollment_deadline', { content: { ...content, enrollByDate: past } }],
    ['subsidy_expired', { subsidy: { ...subsidy, expirationDatetime: past, balanceCents: 0 } }],
    ['not_enough_value_in_subsidy', { subsidy: { ...subsidy, balanceCents: 0 } }],
    ['policy_spend_limit_reached', { policy: { spendLimitCents: 0 } }],
    ['learner_max_enrollments_reached', { policy: { perLearnerEnrollmentLimit: 0 } }],
    ['learner_max_spend_reached', { policy: { perLearnerSpendLimitCents: 0 } }],
    ['reason_learner_not_assigned_content', { ...assigned, assignment: null }],
    ['reason_learner_assignment_cancelled', { ...assigned, assignment: inState('cancelled') }],
    ['reason_learner_assignment_failed', { ...assigned, assignment: inState('errored') }],
    ['reason_learner_assignment_expired', { ...assigned, assignment: inState('expired') }],
    ['reason_learner_assignment_reversed', { ...assigned, assignment: inState('reversed') }],
    ['access_by_request_only', { policy: { accessMethod: 'request' } }],
  ];
  expect(checks.map(({ reason }) => reason)).toEqual(breakers.map(([reason]) => reason));
  let broken = good;
  for (const [reason, changes] of breakers.toReversed()) {
    broken = factsOf(changes, broken);
    expect(refusal(broken)).toBe(reason);
  }
});

describe('worked examples', () => {
  test.each<[string, Partly, Reason | null]>([
    ['1: exactly the policy limit', { policy: { spendLimitCents: 10_000, spentCents: 9_000 } }, null],
    [
      '1: a cent more',
      { policy: { spendLimitCents: 10_000, spentCents: 9_000 }, content: priced(1_001) },
      'policy_spend_limit_reached',
    ],
    [
      '2: exactly the share',
      { policy: { perLearnerSpendLimitCents: 500 }, learnerSpentCents: 300, content: priced(200) },
      null,
    ],
    [
      '2: a cent more',
      { policy: { perLearnerSpendLimitCents: 500 }, learnerSpentCents: 300, content: priced(201) },
      'learner_max_spend_reached',
    ],
    // The old service went on counting what was reversed; here a reversal gives the share back.
    [
      '2: after the 300 were reversed',
      { policy: { perLearnerSpendLimitCents: 500 }, learnerSpentCents: 0, content: priced(500) },
      null,
    ],
    [
      '3: five of five',
      { policy: { perLearnerEnrollmentLimit: 5 }, learnerRedemptionCount: 5 },
      'learner_max_enrollments_reached',
    ],
    [
      '3: five of which two were reversed',
      { policy: { perLearnerEnrollmentLimit: 5 }, learnerRedemptionCount: 3 },
      null,
    ],
    ['12: late', { content: { ...content, enrollByDate: past } }, 'beyond_enrollment_deadline'],
    [
      '12: late but allowed',
      { content: { ...content, enrollByDate: past }, policy: { lateRedemptionAllowedUntil: tomorrow } },
      null,
    ],
    [
      '12: allowed until just now',
      { content: { ...content, enrollByDate: past }, policy: { lateRedemptionAllowedUntil: now } },
      'beyond_enrollment_deadline',
    ],
  ])('%s', (_what, changes, expected) => {
    expect(refusal(factsOf(changes))).toBe(expected);
  });
});

test.each<[string, Partly, Reason | typeof PRICE_UNKNOWN | null]>([
  ['no price', { content: priced(null) }, PRICE_UNKNOWN],
  ['a price of zero', { content: priced(0) }, null],
  ['no content', { content: null }, 'content_not_in_catalog'],
  [
    'no price, and a refusal that needs none comes first',
    { content: priced(null), policy: { active: false } },
    'policy_expired',
  ],
])('content without a price cannot be judged once the price matters: %s (R-RED-03)', (_what, changes, expected) => {
  expect(refusal(factsOf(changes))).toBe(expected);
});

test('a check that needs the price is neither passed nor failed without one', () => {
  const unknown = verdicts(factsOf({ content: priced(null) })).filter(({ verdict }) => verdict === 'unknown');
  expect(unknown.map(({ reason }) => reason)).toEqual([
    'not_enough_value_in_subsidy',
    'policy_spend_limit_reached',
    'learner_max_spend_reached',
  ]);
});

test('every check says what it looked at', () => {
  for (const check of checks) expect(Object.keys(check.inputs(good))).not.toHaveLength(0);
});
