import { isUniqueViolation, type Transaction, transaction } from '@enterprise-access/db';
import { foldEmail, isPlainEmail } from '../kernel/email.ts';
import type { Runtime } from '../kernel/runtime.ts';
import * as store from './store.ts';

/** An address and the account that its owner has on the platform. */
export interface Account {
  readonly email: string;
  readonly lmsUserId: number;
}

/**
 * Gives an account what waits for its address, whatever the configuration and the state (R-ASG-70). What the account
 * holds already under another address is left as it is: nobody holds one content twice. Returns how many rows it linked.
 */
export async function linkAccount(deps: Pick<Runtime, 'db' | 'clock'>, account: Account): Promise<number> {
  if (!isPlainEmail(account.email)) return 0;
  const key = foldEmail(account.email);
  // Nearly every login finds nothing, and costs one look at an index.
  if (!(await store.isAwaited(deps.db, key))) return 0;
  try {
    return await transaction(deps.db, (trx) => linkRows(trx, key, account.lmsUserId, deps.clock()));
  } catch (error) {
    // An allocation to the same account came in between; the next login, or the row's own job, finds the rest.
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
