import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import type { GroupMember } from '../kernel/ports/lms.ts';
import { listMembers } from './contract.ts';
import { legacy } from './legacy.ts';
import { byEnrollmentCount, csvOf, pagesFor, slicePage, withCount } from './rules.ts';

const memberOf = (lmsUserId: number | null, name = 'Ada'): GroupMember => ({
  enterprise_customer_user_id: lmsUserId,
  lms_user_id: lmsUserId,
  pending_enterprise_customer_user_id: lmsUserId === null ? 5 : null,
  enterprise_group_membership_uuid: `m-${String(lmsUserId).padStart(2, '0')}`,
  member_details: { user_email: `u${String(lmsUserId)}@example.com`, user_name: name },
  recent_action: 'Accepted: April 30, 2026',
  status: 'accepted',
  activated_at: '2026-04-30T00:00:00Z',
});
const ids = Array.from({ length: 11 }, (_, index) => index);
const counts = new Map(ids.map((id) => [id, id]));
const eleven = ids.map((id) => withCount(memberOf(id), counts));

test('example 20: eleven members by enrollment count fill one page and start another', () => {
  const sorted = byEnrollmentCount(eleven, false);
  const countsOn = (page: number) => slicePage(sorted, page).map(({ enrollmentCount }) => enrollmentCount);
  expect(countsOn(1)).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  expect(countsOn(2)).toEqual([0]);
  expect(byEnrollmentCount(eleven, true).map(({ enrollmentCount }) => enrollmentCount)).toEqual(ids);
  expect([0, 1, 10, 11, 20, 21].map(pagesFor)).toEqual([1, 1, 1, 2, 2, 3]);
});

test('pending members and those without enrollments count zero', () => {
  expect(withCount(memberOf(null), counts).enrollmentCount).toBe(0);
  expect(withCount(memberOf(99), counts).enrollmentCount).toBe(0);
});

describe('the CSV form', () => {
  test('has the agreed header and one row per member', () => {
    const rows: string[][] = parse(csvOf(eleven.slice(3, 4)));
    expect(rows).toEqual([
      ['email', 'name', 'Recent Action', 'Enrollment Number', 'Activation Date', 'status'],
      ['u3@example.com', 'Ada', 'Accepted: April 30, 2026', '3', '2026-04-30T00:00:00Z', 'accepted'],
    ]);
  });
  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1'])('is no formula in a spreadsheet: %j', (name) => {
    const [, row]: string[][] = parse(csvOf([withCount(memberOf(1, name), counts)]));
    expect(row?.[1]).toBe(`'${name}`);
  });
  test.each(['a,b', 'say "hi"', 'two\nlines'])('keeps text whole: %j', (name) => {
    const [, row]: string[][] = parse(csvOf([withCount(memberOf(1, name), counts)]));
    expect(row?.[1]).toBe(name);
  });
});

const uuid = '4ca49903-b66a-4fe9-a139-79d829deb944';
test.each([
  ['a page', { page: 1 }, true],
  ['everything', { traversePagination: true }, true],
  ['a page and not everything', { page: 1, traversePagination: false }, true],
  ['both', { page: 1, traversePagination: true }, false],
  ['neither', {}, false],
  ['not everything', { traversePagination: false }, false],
  ['page zero', { page: 0 }, false],
])('asking for %s', (_what, input, accepted) => {
  expect(listMembers.input.safeParse({ uuid, ...input }).success).toBe(accepted);
});

describe('links of the REST form lead on', () => {
  const url = new URL(
    `https://access.example.com/api/v1/subsidy-access-policies/${uuid}/group-members?page=2&sort_by=status`,
  );
  const settings = {} as never;
  const output = (page: number) => ({ items: [], count: 21, page, numPages: 3, csv: null });
  const links = (page: number) => legacy.listMembers?.reply?.encode(output(page) as never, { url, settings });
  test.each([
    [1, null, 'page=2&sort_by=status'],
    [2, 'page=1&sort_by=status', 'page=3&sort_by=status'],
    [3, 'page=2&sort_by=status', null],
  ])('page %i', (page, previous, next) => {
    const linkTo = (query: string | null) => query && `${url.origin}${url.pathname}?${query}`;
    expect(links(page)).toMatchObject({
      previous: linkTo(previous),
      next: linkTo(next),
      start: (page - 1) * 10,
      current_page: page,
      num_pages: 3,
    });
  });
});
