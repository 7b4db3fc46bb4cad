import { describe, expect, test } from 'vitest';
import { invitedOn } from '../upstreams/lms.ts';
import { daysToPlan, mailOf, reminderDay, reminderProperties } from './reminders.ts';

describe('the day of a reminder counts from the invitation', () => {
  test.each([
    ['2026-04-30', '2026-05-04', null],
    ['2026-04-30', '2026-05-05', 5],
    ['2026-04-30', '2026-05-06', null],
    ['2026-04-30', '2026-05-25', 25],
    ['2026-04-30', '2026-06-19', 50],
    ['2026-04-30', '2026-07-04', 65],
    ['2026-04-30', '2026-07-24', 85],
    ['2026-04-30', '2026-07-29', null],
    ['2026-12-29', '2027-01-03', 5],
    ['2028-02-25', '2028-03-01', 5],
    ['2026-05-05', '2026-05-05', null],
    ['2026-05-06', '2026-05-05', null],
  ])('invited on %s, on %s: %j', (invited, today, day) => {
    expect(reminderDay(invited, today)).toBe(day);
  });
});

test.each([
  ['Invited: April 30, 2026', '2026-04-30'],
  ['Invited: May 05, 2026', '2026-05-05'],
  ['Invited: May 5, 2026', '2026-05-05'],
  ['Errored: April 30, 2026', null],
  ['Accepted: April 30, 2026', null],
  ['Invited: February 30, 2026', null],
  ['Invited: yesterday', null],
  ['Invited: Floreal 30, 2026', null],
  ['', null],
  [null, null],
  [undefined, null],
])('%j was an invitation on %j', (recentAction, day) => {
  expect(invitedOn(recentAction)).toBe(day);
});

describe('days to plan', () => {
  test.each([
    ['never planned: today only', [], ['2026-06-10']],
    ['planned today: nothing', ['2026-06-09', '2026-06-10'], []],
    ['planned yesterday: today', ['2026-06-08', '2026-06-09'], ['2026-06-10']],
    ['three days of outage are made up for', ['2026-06-06'], ['2026-06-07', '2026-06-08', '2026-06-09', '2026-06-10']],
    ['planned too long ago: today only', ['2026-06-02'], ['2026-06-10']],
  ])('%s', (_case, planned, days) => {
    expect(daysToPlan('2026-06-10', new Set(planned))).toEqual(days);
  });
});

const facts = {
  customerName: 'Demo Company',
  contentCount: 12,
  invitedOn: '2026-04-30',
  expiration: new Date('2027-01-05T23:59:59.123Z'),
};

test('mails name the end of the invitation, 90 days later, and of the funds', () => {
  expect(reminderProperties(facts)).toEqual({
    enterprise_customer: 'Demo Company',
    catalog_content_count: 12,
    invitation_end_date: 'July 29, 2026',
    subsidy_expiration_datetime: 'January 05, 2027',
  });
});

test.each([
  [5, true],
  [25, false],
  [50, false],
  [65, true],
  [85, false],
] as const)('the mail of day %i names the customer: %j', (day, named) => {
  const kind = mailOf(day);
  expect(kind.campaign).toBe(`BRAZE_GROUPS_EMAIL_AUTO_REMINDER_DAY_${day}_CAMPAIGN`);
  const sent = kind.properties.parse(reminderProperties({ ...facts, contentCount: null, expiration: null }));
  expect(sent).toEqual({
    catalog_content_count: null,
    invitation_end_date: 'July 29, 2026',
    subsidy_expiration_datetime: null,
    ...(named ? { enterprise_customer: 'Demo Company' } : {}),
  });
});
