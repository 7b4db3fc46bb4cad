import type { Query } from './query.ts';
import { Refusal } from './refusal.ts';
import type { Group, Member, World } from './state.ts';

const LONGEST_QUERY = 320;

const emailOf = (member: Member): string => member.link?.user.email ?? member.pendingEmail ?? '';
const nameOf = (member: Member): string => (member.link ? `Learner ${member.link.user.id}` : '');

const ORDERS: Readonly<Record<string, (member: Member) => string>> = {
  member_details: emailOf,
  status: (member) => member.status,
  recent_action: (member) => member.changedAt,
};

/** A group's members, filtered and sorted as asked (LMS-13). */
export function groupMembers(group: Group, query: Query): readonly Member[] {
  const sortBy = query.one('sort_by');
  const orderBy = sortBy ? ORDERS[sortBy] : undefined;
  if (sortBy && !orderBy) throw new Refusal(400, { sort_by: [`"${sortBy}" is not a valid choice.`] });
  const text = query.one('user_query')?.toLowerCase() ?? '';
  if (text.length > LONGEST_QUERY) throw new Refusal(400, { user_query: ['Too long.'] });
  const wanted = new Set(query.all('learners').map((email) => email.toLowerCase()));
  const showRemoved = query.flag('show_removed');
  const onlyPending = query.flag('pending_users_only');

  const found = [...group.members.values()].filter(
    (member) =>
      (showRemoved || member.status !== 'removed') &&
      (!onlyPending || member.status === 'pending') &&
      (wanted.size === 0 || wanted.has(emailOf(member).toLowerCase())) &&
      (emailOf(member).toLowerCase().includes(text) || nameOf(member).toLowerCase().includes(text)),
  );
  if (orderBy) found.sort((a, b) => compare(orderBy(a), orderBy(b)));
  return query.flag('is_reversed') ? found.reverse() : found;
}

const compare = (a: string, b: string): number => Number(a > b) - Number(a < b);

const ACTIONS = { accepted: 'Accepted', pending: 'Invited', removed: 'Removed' } as const;
const day = new Intl.DateTimeFormat('en-US', { month: 'long', day: '2-digit', year: 'numeric', timeZone: 'UTC' });

export const memberRecord = (world: World, group: Group, member: Member) => ({
  enterprise_customer_user_id: member.link?.id ?? null,
  lms_user_id: member.link?.user.id ?? null,
  pending_enterprise_customer_user_id: member.pendingId,
  enterprise_group_membership_uuid: member.uuid,
  member_details: { user_email: emailOf(member), user_name: nameOf(member) },
  recent_action: `${ACTIONS[member.status]}: ${day.format(new Date(member.changedAt))}`,
  status: member.status,
  activated_at: member.link ? member.changedAt : null,
  enrollments: member.link ? (world.enrolmentCounts.get(member.link.user.id) ?? 0) : 0,
  group_name: group.name,
  group_uuid: group.uuid,
});
