import { events } from '@enterprise-access/domain';
import { eventTypesOf } from '../src/index.ts';

/** The event types of the service, as its worker hands them to a bus. */
export const eventTypes = eventTypesOf(events.values());

export const topics = {
  ledgerTransactions: 'enterprise-subsidies-transaction-lifecycle',
  learnerCreditEnrollments: 'learner-credit-course-enrollment-lifecycle',
  enterpriseCore: 'enterprise-core',
  accessPolicies: 'access-policy',
} as const;
