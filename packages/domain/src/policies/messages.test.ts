import { expect, test } from 'vitest';
import { checks } from '../redemptions/rules.ts';
import { userMessage } from './messages.ts';

const START = "You can't enroll right now ";
const FUNDS = "because your organization doesn't have enough funds.";
const REQUEST = `${FUNDS} Contact your administrator to request more.`;
const EXPIRED = 'because your funds expired.';
const LIMITS = 'because of limits set by your organization.';
const CATALOG = "because this course is no longer available in your organization's catalog.";
const LATE = 'because the enrollment deadline for this course has passed.';
const LEFT = 'because your account is no longer associated with the organization.';
const ASSIGNED = 'because this course is not assigned to you.';
const CANCELED = 'right now because your administrator canceled your course assignment.';

test.each([
  ['policy_expired', FUNDS, REQUEST],
  ['not_enough_value_in_subsidy', FUNDS, REQUEST],
  ['policy_spend_limit_reached', FUNDS, REQUEST],
  ['subsidy_expired', EXPIRED, `${EXPIRED} Contact your administrator for help.`],
  ['learner_max_spend_reached', LIMITS, LIMITS],
  ['learner_max_enrollments_reached', LIMITS, LIMITS],
  ['content_not_in_catalog', CATALOG, CATALOG],
  ['beyond_enrollment_deadline', LATE, LATE],
  ['learner_not_in_enterprise', LEFT, LEFT],
  ['reason_learner_not_assigned_content', ASSIGNED, ASSIGNED],
  ['reason_learner_assignment_failed', ASSIGNED, ASSIGNED],
  ['reason_learner_assignment_cancelled', CANCELED, CANCELED],
])('%s is told to learners in the agreed words', (reason, withContacts, withoutContacts) => {
  expect(userMessage(reason, true)).toBe(START + withContacts);
  expect(userMessage(reason, false)).toBe(START + withoutContacts);
});

test.each([
  'learner_not_in_enterprise_group',
  'reason_learner_assignment_expired',
  'reason_learner_assignment_reversed',
  'anything else',
  'constructor',
  'toString',
])('%s has no words for learners', (reason) => {
  expect(userMessage(reason, true)).toBeNull();
  expect(userMessage(reason, false)).toBeNull();
});

test('only group membership and ended assignments are refused without a message (R-ASG-27)', () => {
  const silent = checks.map(({ reason }) => reason).filter((reason) => userMessage(reason, true) === null);
  expect(silent).toEqual([
    'learner_not_in_enterprise_group',
    'reason_learner_assignment_expired',
    'reason_learner_assignment_reversed',
  ]);
});
