import { isUniqueViolation, type Transaction, transaction } from '@enterprise-access/db';
import { foldEmail, isPlainEmail } from '../kernel/email.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as store from './store.ts';

/** An e-mail address with its platform account. */
export interface Account {
  readonly email: string;
  readonly lmsUserId: number;
}

/**
 * Links assignments of an address to its account, in any configuration and state (R-ASG-70). Skips content that the
 * account already holds under another address, because nobody can hold a content twice. Returns the number of linked
 * rows.
 */
export async function linkAccount(deps: Pick<Runtime, 'db' | 'clock'>, account: Account): Promise<number> {
  if (!isPlainEmail(account.email)) return 0;
  const key = foldEmail(account.email);
  // Fast path: for nearly every login there is nothing to link.
  if (!(await store.isAwaited(deps.db, key))) return 0;
  try {
    return await transaction(deps.db, (trx) => linkRows(trx, key, account.lmsUserId, deps.clock()));
  } catch (error) {
    // A concurrent allocation to the same account; the next login or the row's link job links the rest.
    if (isUniqueViolation(error)) return 0;
    throw error;
  }
}

async function linkRows(trx: Transaction, key: string, lmsUserId: number, at: Date): Promise<number> {
  const waiting = await store.holdAwaiting(trx, key);
  const configurationUuids = [...new Set(waiting.map((row) => row.assignmentConfigurationUuid))];
  const known = await store.ofLearner(trx, configurationUuids, lmsUserId);
  const taken = new Set(known.filter(store.isHeld).map(contentOf));
  const changes = waiting.flatMap((before) => {
    if (store.isHeld(before) && taken.has(contentOf(before))) return [];
    return [{ before, after: { ...before, lmsUserId, modified: at } }];
  });
  await store.setAccount(
    trx,
    changes.map(({ after }) => after.uuid),
    { lmsUserId, at },
  );
  store.rememberRows(trx, changes);
  return changes.length;
}

const contentOf = (row: store.AssignmentRow): string => `${row.assignmentConfigurationUuid} ${row.contentKey}`;
