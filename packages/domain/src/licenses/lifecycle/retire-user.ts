import { forgetLearner, type Transaction, transaction } from '@enterprise-access/db';
import type { Input } from '../../kernel/contract.ts';
import { foldEmail, isPlainEmail } from '../../kernel/email.ts';
import { notFound } from '../../kernel/errors.ts';
import type { Runtime } from '../../kernel/runtime.ts';
import { deleteUser, findUser } from '../../users/index.ts';
import { holdPlan } from '../store.ts';
import { licenses } from '../tables.ts';
import type * as contract from './contract.ts';
import { removeHolders } from './retire.ts';
import * as store from './store.ts';

/** Takes the licences of one plan from the person; what was not revoked is free again. */
async function leavePlan(trx: Transaction, planUuid: string, person: store.Person, now: Date): Promise<void> {
  if (!(await holdPlan(trx, planUuid))) return;
  const rows = await store.licensesOfPerson(trx, planUuid, person);
  const revoked = rows.filter(({ status }) => status === 'revoked');
  const others = rows.filter(({ status }) => status !== 'revoked');
  await removeHolders(trx, planUuid, revoked, 'cleared', now);
  await removeHolders(trx, planUuid, others, 'released', now);
}

/**
 * R-LIC-76: licences of the account, and those that were assigned to its address and not activated yet. An unknown
 * username is reported after the licences were taken.
 */
export async function retireUser(
  { db, clock }: Pick<Runtime, 'db' | 'clock'>,
  { lmsUserId, originalUsername }: Input<typeof contract.retireUser>,
): Promise<Record<string, never>> {
  const now = clock();
  const [user] = await findUser(db, originalUsername);
  const isSame = user !== undefined && (user.lmsUserId === null || user.lmsUserId === lmsUserId);
  const email = isSame && isPlainEmail(user.email) ? foldEmail(user.email) : null;
  const person = { lmsUserId, emailKey: email };
  for (const planUuid of await store.plansOfPerson(db, person)) {
    await transaction(db, (trx) => leavePlan(trx, planUuid, person, now));
  }
  await transaction(db, (trx) => forgetLearner(trx, licenses.subject?.kind ?? '', lmsUserId));
  if (!user) throw notFound({});
  await deleteUser(db, user.id);
  return {};
}
