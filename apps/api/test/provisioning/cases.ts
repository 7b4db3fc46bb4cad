import { expect } from 'vitest';
import { newBuyer, purchase } from '../billing/support.ts';
import { provisioningOf } from '../licenses/provisioning.ts';
import { type Input, viaRest, type World } from '../support/examples.ts';
import { operationNamed } from '../support/fixtures.ts';
import { operatorToken } from '../support/harness.ts';

interface Case {
  readonly input: Input;
  readonly customer: string | null;
  readonly token: string;
  readonly changes: readonly string[];
  readonly follows?: string;
}

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
  const { free: productId } = await provisioningOf(() => world).products();
  const input = {
    enterpriseCustomer: { name: `Company ${slug}`, slug, country: 'US' },
    pendingAdmins: [{ userEmail: 'new.admin@demo.example' }],
    enterpriseCatalog: { title: 'Everything', catalogQueryId: 41 },
    trialSubscriptionPlan: {
      title: 'Trial',
      salesforceOpportunityLineItem: lineItem(),
      startDate: START,
      expirationDate: END,
      productId,
      desiredNumLicenses: 2,
    },
    firstPaidSubscriptionPlan: { title: 'Paid', salesforceOpportunityLineItem: lineItem(), productId },
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
    const made = await viaRest(world, operationNamed('provisioning.create'), input, operatorToken());
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    return {
      input: { checkoutIntentUuid: intent.uuid, salesforceOpportunityLineItem: lineItem() },
      customer: made.body.enterprise_customer.uuid,
      token: operatorToken(),
      changes: ['subscription_plan'],
    };
  },
};
