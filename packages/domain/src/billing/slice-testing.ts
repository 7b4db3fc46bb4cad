import { demonstration } from '../demonstration.ts';
import { administration, operators, type SliceTesting } from '../kernel/testing.ts';

/** The role of the service that provisions customers; its tokens manage payments too. */
const PROVISIONING = 'enterprise_provisioning_admin';

export const testing: SliceTesting = {
  permissions: {
    'customer_billing.create_portal_session': [...administration, PROVISIONING],
    'customer_billing.billing_management_access': [...administration, PROVISIONING],
    'customer_billing.checkout_intent_read_write_all': [...operators, PROVISIONING],
    'stripe_event_summary.has_read_access': administration,
  },
  contexts: { subscriptionPlan: demonstration.subscriptionPlan },
  examples: {
    intent: '123456789',
    subscriptionPlanUuid: demonstration.subscriptionPlan,
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
