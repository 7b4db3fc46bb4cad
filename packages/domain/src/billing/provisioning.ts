import type { Connection, Transaction } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import { mailOnce } from './handle-event.ts';
import { fulfillable } from './rules.ts';
import * as store from './store.ts';
import { checkoutIntents, type IntentRow } from './tables.ts';
import { annotateIntent, moveIntent } from './transition.ts';

// What provisioning needs of billing, each function in a transaction of its own: they lock the same rows in the order of
// `lockOrder`. Provisioning builds the customer of a paid intent; billing never calls it.

/** The oldest intent with this slug that can be fulfilled. */
export const intentToFulfil = async (db: Connection, enterpriseSlug: string): Promise<IntentRow | undefined> =>
  checkoutIntents
    .query(db)
    .where({ enterprise_slug: enterpriseSlug })
    .whereIn('state', [...fulfillable])
    .orderBy(['created', 'uuid'])
    .first();

const locked = async (trx: Transaction, uuid: string): Promise<IntentRow> => {
  const row = await store.lockIntent(trx, uuid);
  if (!row) throw new Error('There is no such checkout intent.');
  return row;
};

/** Notes the workflow and the customer. The clock of the stalled sweep goes on. */
export async function linkProvisioning(
  trx: Transaction,
  uuid: string,
  link: { readonly workflowUuid: string; readonly enterpriseCustomerUuid: string },
): Promise<IntentRow> {
  const row = await annotateIntent(trx, await locked(trx, uuid), link);
  await store.setCustomerOf(trx, row);
  return row;
}

/** The customer is complete; from `paid` and from every error. The buyer and the administrators get a mail. */
export async function markFulfilled(
  trx: Transaction,
  { clock }: Pick<Runtime, 'clock'>,
  uuid: string,
): Promise<IntentRow> {
  const row = await locked(trx, uuid);
  const after = await moveIntent(trx, row, { to: 'fulfilled', by: 'provisioning' }, clock());
  if (row.state !== 'fulfilled')
    await mailOnce(trx, clock(), after, 'signupConfirmation', {
      occasion: after.uuid,
      ...(after.stripeSubscriptionId === null ? {} : { subscriptionId: after.stripeSubscriptionId }),
    });
  return after;
}

/** A step of provisioning failed; from `paid` and `errored_provisioning` only. */
export async function markProvisioningFailed(
  trx: Transaction,
  { clock }: Pick<Runtime, 'clock'>,
  uuid: string,
  message: string,
): Promise<IntentRow> {
  const changes = { lastProvisioningError: message };
  return moveIntent(trx, await locked(trx, uuid), { to: 'errored_provisioning', by: 'provisioning', changes }, clock());
}

/** The plan that the paid subscription uses: of the renewal with the newest effective date. */
export async function paidPlanOf(db: Connection, intentUuid: string): Promise<string | null> {
  const [newest] = await store.renewalsOf(db, intentUuid);
  return newest?.renewedSubscriptionPlanUuid ?? null;
}
