import { type Database, transaction } from '@enterprise-access/db';
import { demonstration } from '../demonstration.ts';
import { putProduct } from './products.ts';
import { recordRenewal } from './renewals.ts';
import { findIntent } from './store.ts';
import { beginIntent, moveIntent } from './transition.ts';

const DAY_MS = 86_400_000;

const products = [
  { slug: 'teams-yearly', lookup: 'teams_subscription_license_yearly', academy: null, query: 0 },
  { slug: 'teams-quarterly', lookup: 'teams_subscription_license_quarterly', academy: null, query: 0 },
  {
    slug: 'essentials-ai',
    lookup: 'essentials_ai_yearly',
    academy: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa1',
    query: 41,
  },
  {
    slug: 'essentials-data',
    lookup: 'essentials_data_yearly',
    academy: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaa2',
    query: 42,
  },
];

/** What is sold, and a purchase of Demo Company that was provisioned. Rows that are there stay as they are. */
export async function seedBilling(db: Database, buyer: number): Promise<void> {
  const now = new Date();
  const { checkoutIntent: uuid, customer: enterpriseCustomerUuid } = demonstration;
  if (await findIntent(db, { uuid })) return;
  await transaction(db, async (trx) => {
    for (const { slug, lookup, academy, query } of products)
      await putProduct(
        trx,
        {
          slug,
          stripePriceLookupKey: lookup,
          academyUuid: academy,
          catalogQueryId: query,
          catalogQueryUuid: null,
          licenseManagerProductIdTrial: null,
          licenseManagerProductIdPaid: null,
          isActive: true,
          marketingUrl: null,
        },
        now,
      );
    const begun = await beginIntent(trx, {
      uuid,
      id: 123_456_789,
      userId: buyer,
      enterpriseCustomerUuid,
      sspProduct: 'teams-yearly',
      productLine: 'teams',
      stripeProductId: '',
      state: 'created',
      enterpriseName: 'Demo Company',
      enterpriseSlug: 'demo-company',
      stripeCustomerId: 'cus_demo',
      stripeSubscriptionId: null,
      expiresAt: new Date(now.getTime() + DAY_MS),
      stripeCheckoutSessionId: null,
      checkoutFingerprint: null,
      quantity: 10,
      country: 'US',
      lastCheckoutError: null,
      lastProvisioningError: null,
      workflowUuid: null,
      termsMetadata: null,
      created: now,
      modified: now,
    });
    const paid = await moveIntent(trx, begun, { to: 'paid', by: 'stripe' }, now);
    await moveIntent(trx, paid, { to: 'fulfilled', by: 'provisioning' }, now);
    await recordRenewal(
      trx,
      { clock: () => now },
      {
        intentUuid: uuid,
        subscriptionPlanRenewalId: 1,
        priorSubscriptionPlanUuid: demonstration.subscriptionPlan,
        renewedSubscriptionPlanUuid: demonstration.paidPlan,
        effectiveDate: new Date(now.getTime() + 14 * DAY_MS),
      },
    );
  });
}
