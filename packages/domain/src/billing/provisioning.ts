import type { Connection, Transaction } from '@enterprise-access/db';
import type { Runtime } from '../kernel/runtime.ts';
import { mailOnce } from './handle-event.ts';
import { productBySlug } from './products.ts';
import { canMove, fulfillable } from './rules.ts';
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

/** A step of provisioning failed: the intent says why, and is an error where it can become one (R-ADD-108). */
export async function markProvisioningFailed(
  trx: Transaction,
  { clock }: Pick<Runtime, 'clock'>,
  uuid: string,
  message: string,
): Promise<IntentRow> {
  const changes = { lastProvisioningError: message };
  const row = await locked(trx, uuid);
  const isFulfillable = fulfillable.includes(row.state);
  if (isFulfillable && !canMove(row.state, 'errored_provisioning', 'provisioning'))
    return annotateIntent(trx, row, changes);
  return moveIntent(trx, row, { to: 'errored_provisioning', by: 'provisioning', changes }, clock());
}

/** The plan that the paid subscription uses: of the renewal with the newest effective date. */
export async function paidPlanOf(db: Connection, intentUuid: string): Promise<string | null> {
  const [newest] = await store.renewalsOf(db, intentUuid);
  return newest?.renewedSubscriptionPlanUuid ?? null;
}

export const findIntentFor = (db: Connection, key: store.IntentKey): Promise<IntentRow | undefined> =>
  store.findIntent(db, key);

/** What a product of the catalogue says about the plans and the catalog of a new customer. */
export interface ProvisioningProduct {
  readonly trialProductId: number | null;
  readonly paidProductId: number | null;
  readonly catalogQueryId: number;
  readonly academyUuid: string | null;
}

/** An active product by its slug. */
export async function productFor(db: Connection, slug: string): Promise<ProvisioningProduct | null> {
  const found = await productBySlug(db, slug);
  if (!found?.isActive) return null;
  const { licenseManagerProductIdTrial, licenseManagerProductIdPaid, catalogQueryId, academyUuid } = found;
  return {
    trialProductId: licenseManagerProductIdTrial,
    paidProductId: licenseManagerProductIdPaid,
    catalogQueryId,
    academyUuid,
  };
}
