import type { z } from 'zod';
import type { list, Policy } from '../../packages/domain/src/policies/contract.ts';

const policy = (index: number): Policy => ({
  uuid: `88888888-8888-4888-8888-${String(index).padStart(12, '0')}`,
  policyType: 'PerLearnerSpendCreditAccessPolicy',
  displayName: 'A thousand dollars each',
  description: 'Every learner may spend up to 1,000 dollars.',
  active: true,
  retired: false,
  retiredAt: null,
  enterpriseCustomerUuid: '11111111-1111-4111-8111-111111111111',
  catalogUuid: '22222222-2222-4222-8222-222222222222',
  subsidyUuid: '33333333-3333-4333-8333-333333333333',
  accessMethod: 'direct',
  perLearnerEnrollmentLimit: null,
  perLearnerSpendLimitCents: 100_000,
  spendLimitCents: 50_000_000,
  lateRedemptionAllowedUntil: null,
  isLateRedemptionAllowed: false,
  subsidyActiveDatetime: new Date('2020-01-01T00:00:00Z'),
  subsidyExpirationDatetime: new Date('2099-12-31T23:59:59Z'),
  isSubsidyActive: true,
  spentCents: 14_900 * index,
  allocatedCents: 0,
  spendAvailableCents: 50_000_000 - 14_900 * index,
  assignmentConfiguration: null,
  learnerCreditRequestConfigUuid: null,
  groupAssociations: ['77777777-7777-4777-8777-777777777777'],
  bnrEnabled: false,
  totalSpendLimitsForSubsidyCents: 90_000_000,
  totalDepositsForSubsidyCents: 100_000_000,
  created: new Date('2026-06-01T12:00:00Z'),
});

/** A page of policies, as the handler of the policy list returns it. */
export const preparedPage = (size: number): z.infer<(typeof list)['output']> => ({
  items: Array.from({ length: size }, (_, index) => policy(index)),
  nextCursor: null,
  count: size,
  page: 1,
  pageSize: size,
});
