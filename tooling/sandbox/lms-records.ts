import { iso } from './http.ts';
import type { Account, Customer, Group, Link, LmsStore, Member, MemberStatus } from './lms-store.ts';

/** Portal switches that are the same for every sandbox customer. */
const SWITCHES_ON = [
  'enable_data_sharing_consent',
  'enable_learner_portal',
  'enable_portal_subscription_management_screen',
  'enable_portal_learner_credit_management_screen',
  'enable_universal_link',
  'enable_integrated_customer_learner_portal_search',
  'enable_learner_credit_message_box',
  'enable_people_management',
  'enable_pathways',
  'enable_programs',
  'enable_academies',
];
const SWITCHES_OFF = [
  'enable_learner_portal_offers',
  'enable_analytics_screen',
  'enable_browse_and_request',
  'enable_one_academy',
  'disable_expiry_messaging_for_learner_credit',
  'enable_audit_enrollment',
  'replace_sensitive_sso_username',
  'enable_portal_code_management_screen',
  'sync_learner_profile_data',
  'enable_audit_data_reporting',
  'enable_executive_education_2U_fulfillment',
  'enable_portal_reporting_config_screen',
  'enable_portal_saml_configuration_screen',
  'hide_course_original_price',
  'enable_generation_of_api_credentials',
  'enable_portal_lms_configurations_screen',
  'hide_labor_market_data',
  'enable_learner_portal_sidebar_message',
  'enable_credit_and_industry_pathways',
  'enable_demo_data_for_analytics_and_lpr',
  'show_videos_in_learner_portal_search_results',
  'enable_slug_login',
];
const switches: Record<string, boolean> = Object.fromEntries([
  ...SWITCHES_ON.map((name) => [name, true] as const),
  ...SWITCHES_OFF.map((name) => [name, false] as const),
]);

/** What makes a list envelope "E1f". */
export const enterpriseFeatures = {
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
};

export function customerRecord(customer: Customer) {
  return {
    ...switches,
    uuid: customer.uuid,
    name: customer.name,
    slug: customer.slug,
    active: true,
    country: customer.country,
    contact_email: customer.contactEmail,
    auth_org_id: null,
    site: { domain: 'courses.sandbox.example', name: 'courses.sandbox.example' },
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
    enterprise_customer_catalogs: customer.catalogUuids,
    reply_to: null,
    sender_alias: null,
    default_language: null,
    enterprise_notification_banner: { id: null, title: '', text: '' },
    learner_portal_sidebar_content: null,
    admin_users: [...customer.admins.values()].map(({ account }) => ({
      email: account.email,
      lms_user_id: account.lmsUserId,
    })),
    active_integrations: [],
    modified: iso(customer.modified),
  };
}

export type CustomerRecord = ReturnType<typeof customerRecord>;

/** The customer is nested in every learner record; the caller builds it once per page. */
export function learnerRecord(link: Link, customer: CustomerRecord) {
  const { account } = link;
  return {
    id: link.id,
    enterprise_customer: customer,
    active: true,
    user_id: account.lmsUserId,
    user: {
      id: account.lmsUserId,
      username: account.username,
      first_name: account.firstName,
      last_name: account.lastName,
      email: account.email,
      is_staff: false,
      is_active: true,
      date_joined: iso(link.created),
    },
    data_sharing_consent_records: [],
    groups: [],
    created: iso(link.created),
    invite_key: null,
    role_assignments: [link.role],
    enterprise_group: [...link.groups],
  };
}

const dayOf = new Intl.DateTimeFormat('en-US', { year: 'numeric', month: 'long', day: '2-digit', timeZone: 'UTC' });
const actions: Record<MemberStatus, string> = {
  accepted: 'Accepted',
  pending: 'Invited',
  removed: 'Removed',
  email_error: 'Errored',
};

export const fullName = (account: Account | null) => (account ? `${account.firstName} ${account.lastName}` : '');

export function memberRecord(lms: LmsStore, group: Group, member: Member) {
  const userId = member.account?.lmsUserId ?? null;
  return {
    enterprise_customer_user_id: member.linkId,
    lms_user_id: userId,
    pending_enterprise_customer_user_id: member.pendingId,
    enterprise_group_membership_uuid: member.membershipUuid,
    member_details: { user_email: member.email, user_name: fullName(member.account) },
    recent_action: `${actions[member.status]}: ${dayOf.format(member.changed)}`,
    status: member.status,
    activated_at: member.status === 'accepted' ? iso(member.changed) : null,
    enrollments: userId === null ? 0 : (lms.enrolmentCounts.get(userId) ?? 0),
    group_name: group.name,
    group_uuid: group.uuid,
  };
}

export function accountRecord(account: Account) {
  return {
    id: account.lmsUserId,
    username: account.username,
    email: account.email,
    name: fullName(account),
    is_active: true,
    date_joined: '2024-01-01T00:00:00Z',
    last_login: null,
    country: 'US',
    bio: null,
    gender: null,
    language: 'en',
  };
}
