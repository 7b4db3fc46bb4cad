import { type Connection, insertIfAbsent, type Row } from '@enterprise-access/db';
import { foldEmail, isPlainEmail } from '../kernel/email.ts';
import { roleAssignments, users } from './tables.ts';

/** Accounts by folded address, as known from tokens (R-ASG-13). The newest of several counts. */
export async function accountsOf(db: Connection, emailKeys: readonly string[]): Promise<Map<string, number>> {
  const rows: { email: string; lmsUserId: number }[] = await db(users.table)
    .whereIn('email_key', emailKeys)
    .whereNotNull('lms_user_id')
    .orderBy('id')
    .select(users.pick('email', 'lmsUserId'));
  return new Map(
    rows.flatMap((row) => (isPlainEmail(row.email) ? [[foldEmail(row.email), row.lmsUserId] as const] : [])),
  );
}

/** The folded address of a user; null if unknown or not a plain address. */
export async function emailKeyOf(db: Connection, userId: number): Promise<string | null> {
  const user: { email: string } | undefined = await db(users.table).where({ id: userId }).first('email');
  return user && isPlainEmail(user.email) ? foldEmail(user.email) : null;
}

/** What mails and checks need of a user. */
export interface UserContact {
  readonly email: string;
  readonly fullName: string | null;
  readonly lmsUserId: number | null;
}

export const contactOf = async (db: Connection, userId: number): Promise<UserContact | null> =>
  ((await db(users.table)
    .where({ id: userId })
    .first(users.pick('email', 'fullName', 'lmsUserId'))) as UserContact | undefined) ?? null;

/** Ids in the LMS by local user id. */
export async function lmsUserIdsOf(db: Connection, userIds: readonly number[]): Promise<Map<number, number>> {
  const rows: { id: number; lmsUserId: number }[] =
    userIds.length === 0
      ? []
      : await db(users.table)
          .whereIn('id', [...userIds])
          .whereNotNull('lms_user_id')
          .select('id', users.pick('lmsUserId'));
  return new Map(rows.map(({ id, lmsUserId }) => [Number(id), lmsUserId]));
}

/** What a token says about its user; claims that it does not carry are left out. */
export type UserAttributes = Readonly<Partial<Pick<Row<typeof users>, 'email' | 'fullName' | 'lmsUserId' | 'isStaff'>>>;

/** A user with one of the stored roles; the role is null for users who have none. */
export interface UserWithRole extends Readonly<Omit<Row<typeof users>, 'username' | 'created' | 'modified'>> {
  readonly id: number;
  readonly featureRole: string | null;
  readonly enterpriseCustomerUuid: string | null;
}

const ofUser = users.aliased('u');
const ofRole = roleAssignments.aliased('r');

/** The user of a name, once for each stored role. */
export const findUser = async (db: Connection, username: string): Promise<UserWithRole[]> =>
  db('users as u').leftJoin('role_assignments as r', 'r.user_id', 'u.id').where('u.username', username).select({
    id: 'u.id',
    email: ofUser.email,
    fullName: ofUser.fullName,
    lmsUserId: ofUser.lmsUserId,
    isStaff: ofUser.isStaff,
    isSuperuser: ofUser.isSuperuser,
    isActive: ofUser.isActive,
    featureRole: ofRole.featureRole,
    enterpriseCustomerUuid: ofRole.enterpriseCustomerUuid,
  });

/** Stores a user unless the name is taken. */
export const insertUser = (db: Connection, username: string, attributes: UserAttributes, now: Date): Promise<boolean> =>
  insertIfAbsent(db, users.table, users.encode({ ...attributes, username, created: now, modified: now }));

export const updateUser = (db: Connection, id: number, changes: UserAttributes, now: Date): Promise<number> =>
  db(users.table)
    .where({ id })
    .update(users.encode({ ...changes, modified: now }));

/** Deletes a user with the stored roles. */
export const deleteUser = (db: Connection, id: number): Promise<number> => db(users.table).where({ id }).delete();
