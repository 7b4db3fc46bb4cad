import { expect } from 'vitest';
import { newBuyer, purchase } from '../billing/support.ts';
import type { Input, World } from '../support/examples.ts';
import { operatorToken } from '../support/harness.ts';

interface Case {
  readonly input: Input;
  readonly customer: string | null;
  readonly token: string;
  readonly changes: readonly string[];
  readonly follows?: string;
}

const PRODUCT = 1;
const [START, END] = [new Date('2026-06-01T00:00:00Z'), new Date('2026-06-15T00:00:00Z')];
let next = 0;
const lineItem = (): string => {
  next += 1;
  return `00kcase${String(next).padStart(11, '0')}`;
};

/** What a customer who has paid is to get. */
async function paid(world: World) {
  const { intent } = await purchase(world, newBuyer());
  const slug: string = intent.enterprise_slug;
  const input = {
    enterpriseCustomer: { name: `Company ${slug}`, slug, country: 'US' },
    pendingAdmins: [{ userEmail: 'new.admin@demo.example' }],
    enterpriseCatalog: { title: 'Everything', catalogQueryId: 41 },
    trialSubscriptionPlan: {
      title: 'Trial',
      salesforceOpportunityLineItem: lineItem(),
      startDate: START,
      expirationDate: END,
      productId: PRODUCT,
      desiredNumLicenses: 2,
    },
    firstPaidSubscriptionPlan: { title: 'Paid', salesforceOpportunityLineItem: lineItem(), productId: PRODUCT },
  };
  return { input, intent };
}

/** For each mutation of provisioning a call of it, for a customer of its own. */
export const provisioningCases: Readonly<Record<string, (world: World) => Promise<Case>>> = {
  async 'provisioning.create'(world) {
    const { input } = await paid(world);
    // The customer is not there yet.
    return {
      input,
      customer: null,
      token: operatorToken(),
      changes: ['workflow'],
      follows: 'provisioning.customer.',
    };
  },
  async 'provisioning.updateSubscriptionPlanOli'(world) {
    const { input, intent } = await paid(world);
    const { enterpriseCustomer, pendingAdmins, enterpriseCatalog, trialSubscriptionPlan: trial } = input;
    const made = await world.call('POST', '/api/v1/provisioning', operatorToken(), {
      enterprise_customer: enterpriseCustomer,
      pending_admins: pendingAdmins.map(({ userEmail }) => ({ user_email: userEmail })),
      enterprise_catalog: { title: enterpriseCatalog.title, catalog_query_id: enterpriseCatalog.catalogQueryId },
      trial_subscription_plan: {
        title: trial.title,
        salesforce_opportunity_line_item: trial.salesforceOpportunityLineItem,
        start_date: trial.startDate,
        expiration_date: trial.expirationDate,
        product_id: PRODUCT,
        desired_num_licenses: trial.desiredNumLicenses,
      },
      first_paid_subscription_plan: {
        title: 'Paid',
        salesforce_opportunity_line_item: lineItem(),
        product_id: PRODUCT,
      },
    });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    return {
      input: { checkoutIntentUuid: intent.uuid, salesforceOpportunityLineItem: lineItem() },
      customer: made.body.enterprise_customer.uuid,
      token: operatorToken(),
      changes: ['subscription_plan'],
    };
  },
};
