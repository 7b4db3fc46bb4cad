import { definePermissions, type RoleSources } from '../kernel/permissions.ts';

export const billingPermissions = definePermissions('customer_billing', {
  create_portal_session: ['billing_operator', 'billing_admin'],
  billing_management_access: ['billing_operator', 'billing_admin'],
  checkout_intent_read_write_all: ['billing_operator'],
});

export const summaryPermissions = definePermissions('stripe_event_summary', {
  has_read_access: ['stripe_event_summary_admin'],
});

export const roles: RoleSources = {
  system: {
    enterprise_admin: ['billing_admin', 'stripe_event_summary_admin'],
    enterprise_openedx_operator: ['billing_operator', 'stripe_event_summary_admin'],
    enterprise_provisioning_admin: ['billing_operator'],
  },
  stored: {
    enterprise_access_customer_billing_admin: 'billing_admin',
    enterprise_access_customer_billing_operator: 'billing_operator',
    enterprise_access_stripe_event_summary_admin: 'stripe_event_summary_admin',
  },
};
