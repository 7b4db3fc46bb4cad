import type { Listing } from './envelope.ts';
import { listOf } from './envelope.ts';
import type { Query } from './http.ts';
import { isTrue, Refusal } from './http.ts';
import { fullName } from './lms-records.ts';
import type { Group, Member } from './lms-store.ts';
import { folded } from './lms-store.ts';

const MAX_USER_QUERY = 320;

/** What each `sort_by` compares. Sorting is stable, so equal members keep the order in which they joined. */
const sortKeys = {
  member_details: (member: Member) => folded(`${fullName(member.account)} ${member.email}`),
  status: (member: Member) => member.status,
  recent_action: (member: Member) => member.changed.toISOString(),
} as const;

type SortBy = keyof typeof sortKeys;
const isSortBy = (text: string): text is SortBy => Object.hasOwn(sortKeys, text);

function compareBy(key: (member: Member) => string) {
  return (a: Member, b: Member) => {
    const [left, right] = [key(a), key(b)];
    return left < right ? -1 : Number(left > right);
  };
}

const matches = (member: Member, needle: string) =>
  folded(member.email).includes(needle) || folded(fullName(member.account)).includes(needle);

/** The members that a query asks for (LMS-13). The plain list of a large group costs only the page. */
export function selectMembers(group: Group, query: Query): Listing<Member> {
  const sortBy = query.one('sort_by') ?? '';
  const needle = query.one('user_query') ?? '';
  const emails = query.many('learners').map(folded);
  if (sortBy !== '' && !isSortBy(sortBy)) throw new Refusal(400, { sort_by: [`"${sortBy}" is not a valid choice.`] });
  if (needle.length > MAX_USER_QUERY) {
    throw new Refusal(400, { user_query: [`Ensure this field has no more than ${MAX_USER_QUERY} characters.`] });
  }

  const showRemoved = isTrue(query.one('show_removed'));
  const pendingOnly = isTrue(query.one('pending_users_only'));
  const reversed = isTrue(query.one('is_reversed'));
  if (!showRemoved && !pendingOnly && !reversed && sortBy === '' && needle === '' && emails.length === 0) {
    return { count: group.members.size, rows: (start, size) => [...group.members.values().drop(start).take(size)] };
  }

  const pool = showRemoved ? [group.members, group.removed] : [group.members];
  const candidates =
    emails.length > 0
      ? emails.flatMap((email) => pool.flatMap((members) => members.get(email) ?? []))
      : pool.flatMap((members) => [...members.values()]);
  const chosen = candidates.filter(
    (member) => (!pendingOnly || member.account === null) && (needle === '' || matches(member, folded(needle))),
  );
  if (isSortBy(sortBy)) chosen.sort(compareBy(sortKeys[sortBy]));
  return listOf(reversed ? chosen.reverse() : chosen);
}
