import type { SeedCustomer } from './seed.ts';
import { SEED_TIME } from './seed.ts';

/** Feature switches that the LMS adds to its E1f envelopes. */
export const ENTERPRISE_FEATURES = {
  top_down_assignment_real_time_lcm: true,
  feature_prequery_search_suggestions: false,
  enterprise_customer_support_tool: false,
  enterprise_learner_bff_enabled: true,
  admin_portal_learner_profile_view_enabled: false,
  catalog_query_search_filters_enabled: false,
  enterprise_admin_onboarding_enabled: false,
  enterprise_edit_highlights_enabled: false,
  enterprise_ai_pathways_operator_enabled: false,
  use_algolia_index_v2: false,
} as const;

/** The LMS's record of a customer (LMS-01). */
export const customerRecord = (customer: SeedCustomer) => ({
  uuid: customer.uuid,
  name: customer.name,
  slug: customer.slug,
  active: true,
  country: 'US',
  contact_email: customer.contactEmail,
  auth_org_id: null,
  site: { domain: 'courses.example.com', name: 'courses.example.com' },
  enable_data_sharing_consent: true,
  enforce_data_sharing_consent: 'at_enrollment',
  branding_configuration: {
    enterprise_customer: customer.uuid,
    enterprise_slug: customer.slug,
    logo: null,
    primary_color: '#1b2c4d',
    secondary_color: '#ffffff',
    tertiary_color: '#cccccc',
  },
  identity_provider: null,
  identity_providers: [],
  enterprise_customer_catalogs: [customer.catalogUuid],
  reply_to: null,
  sender_alias: null,
  enable_learner_portal: true,
  enable_learner_portal_offers: false,
  enable_portal_subscription_management_screen: true,
  enable_portal_learner_credit_management_screen: true,
  enable_analytics_screen: false,
  enable_browse_and_request: false,
  enable_universal_link: true,
  enable_integrated_customer_learner_portal_search: true,
  enable_one_academy: false,
  default_language: null,
  enable_learner_credit_message_box: true,
  admin_users: [customer.admin],
  active_integrations: [],
  modified: SEED_TIME,
});
