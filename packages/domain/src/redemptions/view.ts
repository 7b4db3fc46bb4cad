import type { Settings } from '../kernel/settings.ts';
import { isLateRedemptionAllowed, type PolicyRow } from '../policies/index.ts';
import type * as contract from './contract.ts';

/** A policy in replies to learners. */
export function viewOfPolicy(policy: PolicyRow, settings: Settings, now: Date): contract.RedeemablePolicy {
  return {
    uuid: policy.uuid,
    policyType: policy.policyType,
    enterpriseCustomerUuid: policy.enterpriseCustomerUuid,
    displayName: policy.displayName,
    description: policy.description,
    active: policy.active,
    retired: policy.retired,
    retiredAt: policy.retiredAt,
    catalogUuid: policy.catalogUuid,
    subsidyUuid: policy.subsidyUuid,
    accessMethod: policy.accessMethod,
    spendLimit: policy.spendLimitCents,
    perLearnerEnrollmentLimit: policy.perLearnerEnrollmentLimit,
    perLearnerSpendLimit: policy.perLearnerSpendLimitCents,
    lateRedemptionAllowedUntil: policy.lateRedemptionAllowedUntil,
    assignmentConfiguration: policy.assignmentConfigurationUuid,
    learnerCreditRequestConfig: policy.learnerCreditRequestConfigUuid,
    policyRedemptionUrl: `${settings.publicUrl}/api/v1/policy-redemption/${policy.uuid}/redeem/`,
    isLateRedemptionAllowed: isLateRedemptionAllowed(policy.lateRedemptionAllowedUntil, now),
  };
}
