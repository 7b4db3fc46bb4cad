import type { Connection } from '@enterprise-access/db';
import type { Actor } from '../../kernel/actor.ts';
import { emailKeyOf } from '../../users/index.ts';
import type { Holder } from './store.ts';

/** The caller as the holder of licences: by the account's address and by the id in the LMS. */
export const callerOf = async (
  db: Connection,
  { userId, lmsUserId }: Pick<Actor, 'userId' | 'lmsUserId'>,
): Promise<Holder> => ({ lmsUserId, emailKey: await emailKeyOf(db, userId) });
