import type { Connection } from '@enterprise-access/db';
import { foldEmail, isPlainEmail } from '../kernel/email.ts';

/** Accounts of addresses as we know them from tokens, by folded address (R-ASG-13). The newest of several counts. */
export async function accountsOf(db: Connection, emailKeys: readonly string[]): Promise<Map<string, number>> {
  const rows: { email: string; lms_user_id: number }[] = await db('users')
    .whereIn('email_key', emailKeys)
    .whereNotNull('lms_user_id')
    .orderBy('id')
    .select('email', 'lms_user_id');
  return new Map(
    rows.flatMap((row) => (isPlainEmail(row.email) ? [[foldEmail(row.email), row.lms_user_id] as const] : [])),
  );
}

/** The folded address of a user; null for one we do not know, or whose address is not plain. */
export async function emailKeyOf(db: Connection, userId: number): Promise<string | null> {
  const user: { email: string } | undefined = await db('users').where({ id: userId }).first('email');
  return user && isPlainEmail(user.email) ? foldEmail(user.email) : null;
}
