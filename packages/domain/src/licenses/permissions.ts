import { definePermissions, type Permission, type RoleSources } from '../kernel/permissions.ts';

const ADMIN = 'enterprise_subscriptions_admin';
const LEARNER = 'enterprise_subscriptions_learner';
const PLANS = 'provisioning_subscription_admin';
const AGREEMENTS = 'provisioning_customer_agreement_admin';
const RETIREMENT = 'license_retirement_worker';

/** The role mapping of the license manager (R-RBAC-11: the provisioning roles are in tokens only). */
export const permissions = definePermissions('subscriptions', {
  has_admin_access: [ADMIN],
  has_learner_or_admin_access: [ADMIN, LEARNER],
  has_provisioning_admin_access: [PLANS],
});

export const agreementPermissions = definePermissions('agreements', {
  has_provisioning_admin_access: [AGREEMENTS],
});

export const staffPermission: Permission = { name: 'licenses.is_staff', roles: [], isForStaff: true };

export const retirementPermission: Permission = { name: 'licenses.can_retire', roles: [RETIREMENT] };

export const roles: RoleSources = {
  system: {
    enterprise_learner: [LEARNER],
    enterprise_admin: [ADMIN],
    enterprise_openedx_operator: [ADMIN],
    enterprise_provisioning_admin: [PLANS, AGREEMENTS],
  },
  stored: { [ADMIN]: ADMIN, [LEARNER]: LEARNER },
  accounts: { retirementWorkerUsername: RETIREMENT },
};
