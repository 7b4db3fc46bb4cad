import { stringify } from 'csv-stringify/sync';
import type { GroupMember } from '../kernel/ports/lms.ts';
import { type Member, memberOrders } from './contract.ts';

/** Members per page; also the default of the LMS. */
export const PAGE_SIZE = 10;

export const pagesFor = (count: number): number => Math.max(1, Math.ceil(count / PAGE_SIZE));

/** Adds the number of enrollments paid by the policy; 0 for pending members (R-GRP-05). */
export const withCount = (found: GroupMember, counts: ReadonlyMap<number, number>): Member => ({
  enterpriseCustomerUserId: found.enterprise_customer_user_id,
  lmsUserId: found.lms_user_id,
  pendingEnterpriseCustomerUserId: found.pending_enterprise_customer_user_id,
  enterpriseGroupMembershipUuid: found.enterprise_group_membership_uuid,
  memberDetails: { userEmail: found.member_details.user_email, userName: found.member_details.user_name ?? null },
  recentAction: found.recent_action ?? null,
  status: found.status ?? null,
  activatedAt: found.activated_at ?? null,
  enrollments: found.enrollments ?? null,
  groupName: found.group_name ?? null,
  groupUuid: found.group_uuid ?? null,
  enrollmentCount: found.lms_user_id === null ? 0 : (counts.get(found.lms_user_id) ?? 0),
});

/** Sorts by count, descending unless reversed (R-GRP-06); equal counts by membership, so that pages do not overlap. */
export function byEnrollmentCount(members: readonly Member[], isReversed: boolean): Member[] {
  const sign = isReversed ? 1 : -1;
  return members.toSorted(
    (a, b) =>
      sign * (a.enrollmentCount - b.enrollmentCount) ||
      (a.enterpriseGroupMembershipUuid < b.enterpriseGroupMembershipUuid ? -1 : 1),
  );
}

/** The first known sort order, because the LMS accepts one only. */
export const memberOrderOf = (text = ''): (typeof memberOrders)[number] | undefined =>
  text
    .split(',')
    .map((name) => memberOrders.find((known) => known === name.trim()))
    .find((known) => known !== undefined);

export const slicePage = <T>(items: readonly T[], page: number): T[] =>
  items.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE);

const COLUMNS = [
  ['email', ({ memberDetails }: Member) => memberDetails.userEmail],
  ['name', ({ memberDetails }: Member) => memberDetails.userName],
  ['Recent Action', ({ recentAction }: Member) => recentAction],
  ['Enrollment Number', ({ enrollmentCount }: Member) => enrollmentCount],
  ['Activation Date', ({ activatedAt }: Member) => activatedAt],
  ['status', ({ status }: Member) => status],
] as const;

/** Escapes text that a spreadsheet would treat as a formula (CSV injection), because learners choose their names. */
export const csvOf = (members: readonly Member[]): string =>
  stringify([COLUMNS.map(([title]) => title), ...members.map((each) => COLUMNS.map(([, value]) => value(each)))], {
    escape_formulas: true,
    record_delimiter: 'windows',
  });
