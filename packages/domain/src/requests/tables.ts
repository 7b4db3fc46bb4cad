import { defineModel, is } from '@enterprise-access/db';
import type { SubsidyType } from './configuration-contract.ts';
import type { ActionStatus, ErrorReason, RecentAction, State } from './contract.ts';

const FOLLOWS = { job: 'requests.followUsers' } as const;

/** Which kind of subsidy the learners of a customer can request. */
export const customerConfigurations = defineModel('request_customer_configurations', {
  tenant: 'enterpriseCustomerUuid',
  audited: { subject: 'request_customer_configuration' },
  columns: {
    /** The customer. */
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    subsidyRequestsEnabled: is.flag(),
    subsidyType: is.code<SubsidyType>().nullable(),
    changedByUserId: is.integer().nullable(),
    changedByLmsUserId: is.integer().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

/** What learners request from budgets. */
export const learnerCreditRequests = defineModel('learner_credit_requests', {
  tenant: 'enterpriseCustomerUuid',
  audited: {
    subject: 'learner_credit_request',
    learner: 'lmsUserId',
    // The actions are stored themselves.
    ignored: ['latestActionUuid', 'latestActionType', 'latestActionStatus', 'latestActionError', 'latestActionAt'],
  },
  columns: {
    uuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    policyUuid: is.uuid(),
    learnerCreditRequestConfigUuid: is.uuid(),
    userId: is.integer(),
    lmsUserId: is.integer().nullable(),
    userEmail: is.text().personalData({ holds: 'Address, as in the users.', ends: FOLLOWS }),
    courseId: is.text().nullable(),
    courseTitle: is.text().nullable(),
    coursePartners: is.json<readonly { readonly uuid: string; readonly name: string }[]>().nullable(),
    coursePriceCents: is.cents().nullable(),
    state: is.code<State>(),
    assignmentUuid: is.uuid().nullable(),
    reviewerUserId: is.integer().nullable(),
    reviewerLmsUserId: is.integer().nullable(),
    reviewedAt: is.instant().nullable(),
    declineReason: is.text().nullable().notInAudit(),
    latestActionUuid: is.uuid().nullable(),
    latestActionType: is.code<RecentAction>().nullable(),
    latestActionStatus: is.code<ActionStatus>().nullable(),
    latestActionError: is.code<ErrorReason>().nullable(),
    latestActionAt: is.instant().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
  internal: {
    userEmailKey: is.text().nullable().personalData({ holds: 'The address as it is compared.', ends: FOLLOWS }),
    courseKey: is.text().nullable(),
    learnerRequestState: is.code().nullable(),
    stateSortOrder: is.integer().nullable(),
    openRequest: is.integer().nullable(),
  },
});

/** Actions are only ever added, so they are not audited themselves. */
export const requestActions = defineModel('learner_credit_request_actions', {
  tenant: 'enterpriseCustomerUuid',
  columns: {
    uuid: is.uuid(),
    learnerCreditRequestUuid: is.uuid(),
    enterpriseCustomerUuid: is.uuid(),
    recentAction: is.code<RecentAction>(),
    status: is.code<ActionStatus>(),
    errorReason: is.code<ErrorReason>().nullable(),
    /** Our own words; never the message of another service. */
    traceback: is.text().nullable(),
    created: is.instant(),
    modified: is.instant(),
  },
});

export const tables = [customerConfigurations, learnerCreditRequests, requestActions] as const;
