import type { Connection } from '@enterprise-access/db';

/** Accounts of addresses as we know them from tokens, by folded address (R-ASG-13). The newest of several counts. */
export async function accountsOf(db: Connection, emailKeys: readonly string[]): Promise<Map<string, number>> {
  const rows: { email_key: string; lms_user_id: number }[] = await db('users')
    .whereIn('email_key', emailKeys)
    .whereNotNull('lms_user_id')
    .orderBy('id')
    .select('email_key', 'lms_user_id');
  return new Map(rows.map((row) => [row.email_key, row.lms_user_id]));
}

/** The folded address of a user; null for one we do not know. */
export async function emailKeyOf(db: Connection, userId: number): Promise<string | null> {
  const user: { email_key: string } | undefined = await db('users').where({ id: userId }).first('email_key');
  return user?.email_key ?? null;
}
