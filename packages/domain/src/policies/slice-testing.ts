import { demonstration } from '../demonstration.ts';
import { administration, everybody, operators, type SliceTesting } from '../kernel/testing.ts';

export const testing: SliceTesting = {
  permissions: {
    'subsidy_access_policy.has_read_access': everybody,
    'subsidy_access_policy.has_write_access': operators,
    'subsidy_access_policy.has_redemption_access': everybody,
    'subsidy_access_policy.has_allocation_access': administration,
  },
  contexts: { policy: demonstration.spendPolicy },
  examples: {
    policyType: 'PerLearnerSpendCreditAccessPolicy',
    accessMethod: 'direct',
    catalogUuid: demonstration.catalog,
    subsidyUuid: demonstration.subsidy,
    policyUuid: demonstration.spendPolicy,
    enterpriseCustomerUuid: demonstration.customer,
    enterpriseUuid: demonstration.customer,
    spendLimit: 1_000,
    salesContractReferenceId: '00kDEMO0000000009A',
    days: 3,
  },
};
