import { administration, operators, type SliceTesting } from '../kernel/testing.ts';

const PLAN = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbb1';

export const testing: SliceTesting = {
  permissions: {
    'customer_billing.create_portal_session': administration,
    'customer_billing.billing_management_access': administration,
    'customer_billing.checkout_intent_read_write_all': operators,
    'stripe_event_summary.has_read_access': administration,
  },
  contexts: { subscriptionPlan: PLAN },
  examples: {
    intent: '123456789',
    subscriptionPlanUuid: PLAN,
    eventIds: ['evt_1'],
    adminEmail: 'admin@demo.example',
    enterpriseSlug: 'new-company',
    companyName: 'New Company',
    stripePriceId: 'price_teams_yearly',
    paymentMethod: 'pm_1',
    paymentMethodId: 'pm_1',
    email: 'learning@demo.example',
    country: 'US',
    postalCode: '02139',
  },
};
