import { describe, expect, test } from 'vitest';
import { contentWith } from '../testing.ts';
import type { ActionType, State } from './contract.ts';
import { orderOf } from './lists.ts';
import { joined, longDate, seconds, startOf } from './mails.ts';
import { beginsIn } from './nudge.ts';
import { planAllocation, type Terms, uniqueEmails } from './plan.ts';
import { allocationRefusal } from './price.ts';
import {
  assignmentFor,
  classes,
  classOf,
  earliestExpiration,
  isAcceptablePrice,
  isAcknowledged,
  isActionAcknowledged,
  learnerStateOf,
  recentAction,
  searchTerms,
  stateRefusal,
} from './rules.ts';
import type { AssignmentRow } from './store.ts';

const at = (text: string): Date => new Date(`2026-${text}Z`);
const NOON = at('06-01T12:00:00');

const row = (change: Partial<AssignmentRow> = {}): AssignmentRow => ({
  uuid: 'u1',
  enterpriseCustomerUuid: 'e',
  assignmentConfigurationUuid: 'c',
  learnerEmail: 'a@x.example',
  lmsUserId: null,
  contentKey: 'edX+DemoX',
  parentContentKey: null,
  isAssignedCourseRun: false,
  contentTitle: 'Demo',
  priceCents: 100,
  preferredCourseRunKey: 'run-1',
  state: 'allocated',
  allocatedAt: NOON,
  acceptedAt: null,
  cancelledAt: null,
  expiredAt: null,
  erroredAt: null,
  reversedAt: null,
  expirationReason: null,
  retireAddressFrom: null,
  transactionUuid: null,
  redemptionUuid: null,
  allocationBatchUuid: null,
  adminLmsUserId: null,
  correlationId: null,
  notifiedAt: null,
  notifyErroredAt: null,
  remindedAt: null,
  errorActionType: null,
  errorReason: null,
  created: NOON,
  modified: NOON,
  ...change,
});

describe('what administrators see', () => {
  test.each([
    ['never reminded', null, { actionType: 'assigned', timestamp: NOON }],
    ['reminded before the last allocation', at('06-01T09:00:00'), { actionType: 'assigned', timestamp: NOON }],
    ['reminded since', at('06-01T13:00:00'), { actionType: 'reminded', timestamp: at('06-01T13:00:00') }],
    ['both at once', NOON, { actionType: null, timestamp: null }],
  ])('R-ASG-30, R-ASG-31, worked example 9: %s', (_what, remindedAt, expected) => {
    expect(recentAction({ allocatedAt: NOON, remindedAt })).toEqual(expected);
  });

  test.each<[State, Date | null, Date | null, string | null]>([
    ['allocated', null, null, 'notifying'],
    ['allocated', NOON, null, 'waiting'],
    ['allocated', null, NOON, 'failed'],
    ['allocated', NOON, NOON, 'waiting'],
    ['expired', NOON, null, 'expired'],
    ['errored', null, null, 'failed'],
    ['accepted', NOON, null, null],
    ['cancelled', NOON, null, null],
    ['reversed', NOON, null, null],
  ])('R-ASG-32: %s, told at %s, not told at %s', (state, notifiedAt, notifyErroredAt, expected) => {
    expect(learnerStateOf(classOf({ state, notifiedAt, notifyErroredAt }))).toBe(expected);
  });

  test('R-ASG-33: learner states sort as notifying, waiting, expired, failed, none', () => {
    const order = classes.map(({ learnerState }) => learnerState);
    expect([...new Set(order)]).toEqual(['notifying', 'waiting', 'expired', 'failed', null]);
  });

  test.each([
    [undefined, 'recent_action_at desc'],
    ['unknown', 'recent_action_at desc'],
    ['recent_action_time', 'recent_action_at asc'],
    ['-learner_state_sort_order', 'status_class desc'],
    ['content_quantity', 'price_cents desc'],
    ['unknown, -content_quantity,recent_action_time', 'price_cents asc'],
  ])('the order of %s', (ordering, expected) => {
    const { by, direction } = orderOf(ordering);
    expect(`${by} ${direction}`).toBe(expected);
  });

  test('search words are split at spaces and commas', () => {
    expect(searchTerms('Cafe\u0301')).toEqual(['caf\u00e9']);
    expect(searchTerms(' Two,words\tand , more ')).toEqual(['two', 'words', 'and', 'more']);
  });
});

describe('acknowledgement', () => {
  const action = (actionType: ActionType, completedAt: Date | null) => ({ actionType, completedAt });
  const [ten, eleven, twelve] = [at('06-01T10:00:00'), at('06-01T11:00:00'), NOON];

  test.each([
    ['allocated', 'allocated' as const, null, [action('expired_acknowledged', eleven)], null],
    ['expired, nothing said', 'expired' as const, ten, [action('expired', ten)], false],
    ['expired and seen', 'expired' as const, ten, [action('expired_acknowledged', eleven)], true],
    ['seen before the mail was sent', 'expired' as const, ten, [action('expired_acknowledged', ten)], true],
    ['expired again since', 'expired' as const, twelve, [action('expired_acknowledged', eleven)], false],
    ['the other kind was seen', 'cancelled' as const, ten, [action('expired_acknowledged', eleven)], false],
    ['a mail that failed', 'cancelled' as const, ten, [action('cancelled', null)], false],
  ])('R-ASG-36, R-ASG-41, worked example 16: %s', (_what, state, endedAt, actions, expected) => {
    expect(isAcknowledged({ state, actions, endedAt })).toBe(expected);
  });

  test('R-ASG-36: an action is acknowledged if its end was acknowledged later; null for kinds that cannot be acknowledged', () => {
    const facts = { state: 'expired' as const, actions: [action('expired_acknowledged', eleven)] };
    expect(isActionAcknowledged(action('expired', ten), facts)).toBe(true);
    expect(isActionAcknowledged(action('expired', twelve), facts)).toBe(false);
    expect(isActionAcknowledged(action('expired', null), facts)).toBe(false);
    expect(isActionAcknowledged(action('notified', ten), facts)).toBeNull();
  });
});

describe('expiration', () => {
  const allocatedAt = at('01-10T00:00:00');
  const ninety = at('04-10T00:00:00');

  test.each([
    ['the deadline comes first', at('06-30T00:00:00'), at('03-01T00:00:00'), 'ENROLLMENT_DATE_PASSED'],
    ['no deadline', at('06-30T00:00:00'), null, 'NINETY_DAYS_PASSED'],
    ['nothing but the allocation', null, null, 'NINETY_DAYS_PASSED'],
    ['the subsidy ends first', at('02-01T00:00:00'), at('03-01T00:00:00'), 'SUBSIDY_EXPIRED'],
    ['all at once', ninety, ninety, 'SUBSIDY_EXPIRED'],
    ['deadline and days at once', null, ninety, 'ENROLLMENT_DATE_PASSED'],
  ])('R-ASG-50, worked example 10: %s', (_what, subsidyExpiration, enrollBy, reason) => {
    expect(earliestExpiration({ subsidyExpiration, enrollBy, allocatedAt }).reason).toBe(reason);
  });

  test('R-ASG-50: 90 days are 90 times 24 hours from the allocation', () => {
    expect(earliestExpiration({ subsidyExpiration: null, enrollBy: null, allocatedAt }).date).toEqual(ninety);
  });
});

describe('prices', () => {
  test.each([
    [9_500, 10_000, true],
    [10_500, 10_000, true],
    [9_499, 10_000, false],
    [10_501, 10_000, false],
    [0, 0, true],
    [10, 0, false],
    // 0.95 of it has a fraction of a cent.
    [14_155, 14_900, true],
    [14_154, 14_900, false],
    [18, 19, false],
    [19, 19, true],
  ])('R-POL-14, worked example 1: %i cents for a price of %i', (requested, canonical, expected) => {
    expect(isAcceptablePrice(requested, canonical, 0.95, 1.05)).toBe(expected);
  });

  const facts = {
    policy: { active: true, retired: false },
    contentKey: 'K',
    requestedCents: 100,
    canonicalCents: 100,
    inCatalog: true,
    isSubsidyActive: true,
    lowerRatio: 0.95,
    upperRatio: 1.05,
  };
  const retired = { active: true, retired: true };

  test.each([
    ['nothing is in the way', {}, undefined],
    ['a negative price', { requestedCents: -1 }, 'Can only allocate non-negative content_price_cents'],
    [
      'a price out of the band, whatever else',
      { requestedCents: 50, policy: retired, isSubsidyActive: false },
      'Requested price 50 for K outside of acceptable interval on canonical course price of 100.',
    ],
    ['a policy that is retired', { policy: retired, inCatalog: false, canonicalCents: null }, 'policy_expired'],
    ['content that is not there', { inCatalog: false, isSubsidyActive: false }, 'content_not_in_catalog'],
    ['a subsidy that has ended', { isSubsidyActive: false }, 'subsidy_expired'],
  ])('R-ASG-03, R-POL-15, R-POL-16: %s', (_what, change, expected) => {
    const refusal = allocationRefusal({ ...facts, ...change });
    expect(refusal?.kind === 'price' ? refusal.message : refusal?.reason).toBe(expected);
  });
});

describe('which learners are allocated', () => {
  const terms: Terms = {
    configurationUuid: 'c',
    enterpriseCustomerUuid: 'e',
    contentKey: 'edX+DemoX',
    priceCents: 90,
    batchUuid: 'b',
    adminLmsUserId: 7,
    content: { contentKey: 'edX+DemoX', courseRunKey: 'run-2', title: 'New title' },
    at: at('07-01T00:00:00'),
    correlationId: 'call-2',
  };
  const plan = (emails: string[], existing: AssignmentRow[], accounts: [string, number][] = [], affordable?: number) =>
    planAllocation(terms, emails, { accounts: new Map(accounts), existing }, affordable);

  test('R-ASG-12: the first spelling counts', () => {
    expect(uniqueEmails(['B@x.example', 'a@x.example', 'b@X.example'])).toEqual(['B@x.example', 'a@x.example']);
  });

  test.each([
    ['a course', 'edX+DemoX', { parentContentKey: null, isAssignedCourseRun: false }],
    ['a run', 'run-2', { parentContentKey: 'edX+DemoX', isAssignedCourseRun: true }],
  ])('R-ASG-15: %s', (_what, contentKey, expected) => {
    const known = { accounts: new Map<string, number>(), existing: [] };
    const [planned] = planAllocation({ ...terms, contentKey }, ['a@x.example'], known);
    expect(planned?.row).toMatchObject({ ...expected, contentKey, preferredCourseRunKey: 'run-2' });
  });

  test.each<State>(['cancelled', 'errored', 'expired', 'reversed'])('R-ASG-16: %s starts again', (state) => {
    const before = row({ state, transactionUuid: 't', notifiedAt: NOON, cancelledAt: NOON, erroredAt: NOON });
    const [planned] = plan(['A@X.example'], [before]);
    expect(planned).toMatchObject({
      outcome: 'reallocated',
      row: {
        uuid: 'u1',
        enterpriseCustomerUuid: 'e',
        learnerEmail: 'a@x.example',
        state: 'allocated',
        priceCents: 90,
        allocatedAt: terms.at,
        contentTitle: 'New title',
        transactionUuid: null,
        notifiedAt: null,
        cancelledAt: null,
        erroredAt: null,
      },
    });
  });

  test('R-ASG-16: what waits follows the advertised run and gets its account; price and date stay', () => {
    const [planned] = plan(['a@x.example'], [row()], [['a@x.example', 5]]);
    expect(planned).toMatchObject({
      outcome: 'touched',
      row: { lmsUserId: 5, preferredCourseRunKey: 'run-2', priceCents: 100, allocatedAt: NOON },
    });
    const accepted = row({ state: 'accepted', lmsUserId: 5 });
    expect(plan(['a@x.example'], [accepted])).toMatchObject([{ outcome: 'no_change', row: accepted }]);
  });

  test('the budget covers the first learners; those who hold the content need none', () => {
    const outcomes = plan(['n1@x.example', 'n2@x.example', 'a@x.example'], [row()], [], 1).map((each) => each.outcome);
    expect(outcomes).toEqual(['created', 'not_covered', 'touched']);
  });
});

describe('the assignment of a redemption', () => {
  const course = row();
  const run = row({ contentKey: 'run-1', parentContentKey: 'edX+DemoX', isAssignedCourseRun: true });

  test.each([
    ['course for a course', course, 'edX+DemoX', null, true],
    ['course for a run', course, 'run-1', 'edX+DemoX', true],
    ['run for its course', run, 'edX+DemoX', 'edX+DemoX', true],
    ['run for itself', run, 'run-1', 'edX+DemoX', true],
    ['run for another run', run, 'run-2', 'edX+DemoX', false],
    ['another course', course, 'run-1', 'edX+OtherX', false],
  ])('R-ASG-25, R-RED-02: %s', (_what, assignment, key, courseKey, fits) => {
    expect(assignmentFor([assignment], key, courseKey)).toBe(fits ? assignment : null);
  });

  test('of several, the one that waits counts, then the closest', () => {
    const over = row({ contentKey: 'run-1', state: 'cancelled' });
    expect(assignmentFor([over, course], 'run-1', 'edX+DemoX')).toBe(course);
    expect(assignmentFor([course, run], 'run-1', 'edX+DemoX')).toBe(run);
  });

  test.each<[State | null, string | null]>([
    [null, 'reason_learner_not_assigned_content'],
    ['allocated', null],
    ['accepted', 'reason_learner_not_assigned_content'],
    ['cancelled', 'reason_learner_assignment_cancelled'],
    ['errored', 'reason_learner_assignment_failed'],
    ['expired', 'reason_learner_assignment_expired'],
    ['reversed', 'reason_learner_assignment_reversed'],
  ])('R-ASG-27, R-RED-01: %s', (state, reason) => {
    expect(stateRefusal(state && row({ state }))).toBe(reason);
  });
});

describe('what mails say', () => {
  const run = {
    courseType: 'executive-education-2u',
    partners: [],
    imageUrl: null,
    startDate: at('06-10T08:00:00'),
    endDate: at('09-01T00:00:00'),
    priceUsd: null,
    pacing: 'self_paced',
    weeksToComplete: 4,
  };

  test.each([
    ['a run to come', {}, run.startDate],
    ['no end', { endDate: null }, NOON],
    ['no length', { weeksToComplete: 0 }, NOON],
    ['begun, with time to finish', { startDate: at('05-25T00:00:00') }, NOON],
    ['begun, on the last day to finish', { startDate: at('05-25T00:00:00'), endDate: at('06-29T00:00:00') }, NOON],
    [
      'begun, without time to finish',
      { startDate: at('05-25T00:00:00'), endDate: at('06-28T23:00:00') },
      at('05-25T00:00:00'),
    ],
    ['begun long ago', { startDate: at('05-18T11:59:59'), endDate: at('06-02T00:00:00') }, NOON],
    [
      'begun, paced by a teacher',
      { startDate: at('05-25T00:00:00'), pacing: 'instructor_paced' },
      at('05-25T00:00:00'),
    ],
  ])('the start of %s', (_what, change, expected) => {
    expect(startOf({ ...run, ...change }, NOON)).toEqual(expected);
  });

  test('names, days and instants', () => {
    expect([['A'], ['A', 'B'], ['A', 'B', 'C']].map(joined)).toEqual(['A', 'A and B', 'A, B, and C']);
    expect(longDate(at('01-01T23:59:59'))).toBe('Jan 01, 2026');
    expect(seconds(new Date('2026-06-01T12:00:00.999Z'))).toBe('2026-06-01T12:00:00Z');
  });

  test.each([
    [9, true],
    [8, false],
    [10, false],
  ])('R-ASG-62: a course that begins on the 10th, %i days after the 1st', (days, expected) => {
    expect(beginsIn(contentWith({ details: run }), days, NOON)).toBe(expected);
    expect(beginsIn(contentWith({ details: { ...run, courseType: 'verified' } }), days, NOON)).toBe(false);
  });
});
