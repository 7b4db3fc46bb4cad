import { demonstration } from '../demonstration.ts';
import { administration, everybody, type SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: {
    'subscriptions.has_admin_access': administration,
    'subscriptions.has_learner_or_admin_access': everybody,
    'subscriptions.has_provisioning_admin_access': ['enterprise_provisioning_admin'],
    'agreements.has_provisioning_admin_access': ['enterprise_provisioning_admin'],
    'licenses.is_staff': [],
    'licenses.can_retire': [],
  },
  examples: {
    priorSubscriptionPlan: demonstration.plan,
    renewedSubscriptionPlan: demonstration.futurePlan,
    subscriptionPlan: demonstration.plan,
    userEmails: ['learner-1000@demo.example'],
    activationKey: '0c7fb5a3-7a3c-4a52-9b3b-52a5d3e1a001',
  },
  contexts: {
    agreement: demonstration.agreement,
    plan: demonstration.plan,
    license: demonstration.license,
  },
};
