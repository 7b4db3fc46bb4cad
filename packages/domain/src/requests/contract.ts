import { z } from 'zod';
import { defineContract } from '../kernel/contract.ts';
import { defineError } from '../kernel/errors.ts';
import { uuid } from '../kernel/ids.ts';
import { openEnum } from '../kernel/open-enum.ts';
import { ordering } from '../kernel/order.ts';
import { pageInput, pageOutput } from '../kernel/page.ts';
import { permissions } from './permissions.ts';

export const states = [
  'requested',
  'pending',
  'approved',
  'declined',
  'error',
  'accepted',
  'cancelled',
  'expired',
  'reversed',
] as const;
export type State = (typeof states)[number];

export const recentActions = [...states, 'reminded'] as const;
export type RecentAction = (typeof recentActions)[number];

export const actionStatuses = [
  'requested',
  'reminded',
  'approved',
  'accepted',
  'declined',
  'reversed',
  'cancelled',
  'expired',
] as const;
export type ActionStatus = (typeof actionStatuses)[number];

export const errorReasons = [
  'failed_approval',
  'failed_decline',
  'failed_cancellation',
  'failed_redemption',
  'failed_reversal',
  'email_error',
] as const;
export type ErrorReason = (typeof errorReasons)[number];

export const learnerRequestStates = ['requested', 'waiting', 'declined', 'cancelled', 'error', 'failed'] as const;

const INT32 = 2_147_483_647;
/** Requests of one call. */
const AT_ONCE = 1_000;

/** What happened to a request last, or failed. */
export const requestAction = z
  .object({
    uuid: z.string().describe('Identifies the action.'),
    recentAction: openEnum(recentActions).describe('What was done or tried.'),
    status: openEnum(actionStatuses).describe('Status after it.'),
    errorReason: openEnum(errorReasons).nullable().describe('Failure; null if it succeeded.'),
    traceback: z.string().nullable().describe('Sentence about the failure.'),
    created: z.date().describe('Time of the action.'),
    modified: z.date().describe('Time of the last change.'),
  })
  .meta({ title: 'LearnerCreditRequestAction' });

/** A course that a learner has requested from a budget. */
export const learnerCreditRequest = z
  .object({
    uuid: z.string().describe('Identifies the request.'),
    lmsUserId: z.int().nullable().describe('Learner.'),
    email: z.string().describe('Address of the learner. Personal data.'),
    courseId: z.string().nullable().describe('Course.'),
    courseTitle: z.string().nullable().describe('Title of the course; null until it is known.'),
    coursePartners: z
      .array(
        z
          .object({ uuid: z.string().describe('Identifies the owner.'), name: z.string().describe('Name.') })
          .meta({ title: 'CoursePartner' }),
      )
      .nullable()
      .describe('Owners of the course; null until they are known.'),
    enterpriseCustomerUuid: z.string().describe('Customer.'),
    state: openEnum(states).describe('State of the request.'),
    reviewedAt: z.date().nullable().describe('Time of the decision.'),
    reviewerLmsUserId: z.int().nullable().describe('Who decided.'),
    declineReason: z.string().nullable().describe('Why it was declined.'),
    created: z.date().describe('Time of creation.'),
    modified: z.date().describe('Time of the last change.'),
    learnerCreditRequestConfig: z.string().nullable().describe('Browse & Request configuration of the budget.'),
    assignment: z.string().nullable().describe('Assignment that the approval made.'),
    coursePrice: z.int().nullable().describe('Price at the time of the request in US cents.'),
    latestAction: requestAction.nullable().describe('The latest action.'),
  })
  .meta({ title: 'LearnerCreditRequest' });
export type LearnerCreditRequest = z.infer<typeof learnerCreditRequest>;

/** A request in lists. */
export const listedRequest = learnerCreditRequest
  .extend({
    learnerRequestState: openEnum(learnerRequestStates)
      .nullable()
      .describe('State for administrators; null if nobody has to do anything.'),
  })
  .meta({ title: 'ListedLearnerCreditRequest' });
export type ListedRequest = z.infer<typeof listedRequest>;

const uuids = () => z.array(z.string());

/** No budget with this uuid takes requests. */
export const notRequestable = defineError({
  code: 'not_requestable',
  status: 400,
  message: 'The budget takes no requests.',
  details: z.object({ policyUuid: z.string().describe('Budget.') }),
});

/** The learner has an open request for the course. */
export const alreadyRequested = defineError({
  code: 'already_requested',
  status: 422,
  message: 'You already have an active learner credit request for this course.',
  details: z.object({}),
});

/** A request or the budget is unknown, or belongs to another customer or budget; nothing was changed. */
export const requestsNotFound = defineError({
  code: 'requests_not_found',
  status: 404,
  message: 'One or more learner credit request UUIDs not found.',
  details: z.object({}),
});

/** Some requests were not approved; the others were. */
export const notAllApproved = defineError({
  code: 'not_all_approved',
  status: 422,
  message: 'Some requests could not be approved.',
  details: z.object({
    approved: uuids().describe('Requests that were approved.'),
    failed: uuids().describe('Requests that were not.'),
    errorMessage: z.string().nullable().describe('Reason for all of them; null if each has its own.'),
  }),
});

/** Some requests had changed meanwhile; the others were declined. */
export const notAllDeclined = defineError({
  code: 'not_all_declined',
  status: 422,
  message: 'Some requests could not be declined.',
  details: z.object({
    declined: uuids().describe('Requests that were declined.'),
    nonDeclinable: uuids().describe('Requests that were not.'),
  }),
});

/** Some requests cannot be reminded of; the learners of the others were reminded. */
export const notAllReminded = defineError({
  code: 'not_all_reminded',
  status: 422,
  message: 'Some requests could not be reminded.',
  details: z.object({ nonRemindable: uuids().describe('Requests that are not approved.') }),
});

/** Some requests cannot be cancelled; the others were. */
export const notAllCancelled = defineError({
  code: 'not_all_cancelled',
  status: 422,
  message: 'Some requests could not be cancelled.',
  details: z.object({ nonCancelable: uuids().describe('Requests that were not cancelled.') }),
});

/** The assignment of the request cannot be cancelled. */
export const notCancelable = defineError({
  code: 'not_cancelable',
  status: 422,
  message: 'The request cannot be cancelled.',
  details: z.object({ sentence: z.string().describe('Why not.') }),
});

const BASE = '/api/v1/learner-credit-requests/';
const customer = { from: 'customer', field: 'enterpriseCustomerUuid' } as const;
const customerUuid = { enterpriseCustomerUuid: uuid().describe('Customer of the requests.') };
const policyUuid = { policyUuid: uuid().describe('Budget of the requests.') };
const requestUuids = () => z.array(uuid()).min(1).max(AT_ONCE);
const admin = {
  kind: 'mutation',
  permission: permissions.has_admin_access,
  context: customer,
  denial: 'Missing',
} as const;

const filters = {
  uuid: uuid().optional().describe('Only this request.'),
  userEmail: z.string().max(254).optional().describe('Only the learner with this address.'),
  courseId: z.string().max(255).optional().describe('Only this course.'),
  policyUuid: uuid().optional().describe('Only requests to this budget.'),
  state: z.string().max(255).optional().describe('Only these states: comma-separated; unknown ones match nothing.'),
  search: z.string().max(255).optional().describe('Words that address or title contain, separated by blanks.'),
  latestActionStatus: z.string().max(255).optional().describe('Only these statuses of the latest action.'),
  learnerRequestState: z.string().max(255).optional().describe('Only these states for administrators.'),
};

export const requestOrders = [
  'created',
  'reviewed_at',
  'course_price',
  'state',
  'user__email',
  'course_title',
  'latest_action_time',
  'latest_action_type',
  'latest_action_status',
  'learner_request_state',
  'state_sort_order',
] as const;

export const list = defineContract({
  summary: 'Requests that the caller can see: own ones, and those of customers that the caller administers.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: { ...customer, isListing: true },
  rest: { method: 'GET', path: BASE },
  input: z.object({
    enterpriseCustomerUuid: uuid().optional().describe('Only of this customer.'),
    ...filters,
    ordering: ordering(requestOrders, '-created'),
    ...pageInput({ defaultSize: 100, maximumSize: 500 }),
  }),
  output: pageOutput(listedRequest).extend({
    learnerRequestStateCounts: z
      .array(
        z
          .object({
            learnerRequestState: openEnum(learnerRequestStates).describe('State for administrators.'),
            count: z.int().min(1).describe('Number of matching requests.'),
          })
          .meta({ title: 'LearnerRequestStateCount' }),
      )
      .describe('Matching requests by state for administrators, the largest number first.'),
  }),
  errors: [],
});

export const get = defineContract({
  summary: 'One request that the caller can see.',
  kind: 'query',
  permission: permissions.has_learner_or_admin_access,
  context: { from: 'learnerCreditRequest', field: 'uuid', isListing: true },
  rest: { method: 'GET', path: `${BASE}{uuid}/` },
  input: z.object({ uuid: uuid().describe('Request.') }),
  output: learnerCreditRequest,
  errors: [],
});

export const overview = defineContract({
  summary: 'Number of requests of a customer by state, the largest first.',
  kind: 'query',
  permission: permissions.has_admin_access,
  context: customer,
  denial: 'Missing',
  rest: { method: 'GET', path: `${BASE}overview/` },
  input: z.object({ ...customerUuid, ...filters }),
  output: z.array(
    z
      .object({ state: openEnum(states).describe('State.'), count: z.int().min(1).describe('Number of requests.') })
      .meta({ title: 'RequestStateCount' }),
  ),
  errors: [],
});

export const create = defineContract({
  summary: 'Request a course from a budget, for the caller. A request that has ended is used again.',
  kind: 'mutation',
  permission: permissions.has_learner_or_admin_access,
  context: customer,
  denial: 'Missing',
  rest: { method: 'POST', path: BASE, status: 201 },
  input: z.object({
    ...customerUuid,
    policyUuid: uuid().describe('Budget that shall pay.'),
    courseId: z.string().max(128).nullable().default(null).describe('Course.'),
    coursePrice: z.coerce
      .number<number>()
      .int()
      .min(-INT32)
      .max(INT32)
      .nullable()
      .default(null)
      .describe('Price in US cents as the learner saw it; checked when the request is approved.'),
  }),
  output: learnerCreditRequest,
  errors: [notRequestable, alreadyRequested],
});

const approval = z.object({
  approved: uuids().describe('Requests that were approved.'),
  failed: uuids().describe('Requests that were not.'),
  errorMessage: z.string().nullable().describe('Reason for all of them; null if each has its own.'),
});

export const approve = defineContract({
  ...admin,
  summary: 'Approve requests to a budget: the courses are allocated and their price is reserved.',
  rest: { method: 'POST', path: `${BASE}approve/` },
  input: z.object({
    ...customerUuid,
    ...policyUuid,
    learnerCreditRequestUuids: requestUuids().describe('Requests to this budget.'),
  }),
  output: approval,
  errors: [requestsNotFound, notAllApproved],
});

export const approveAll = defineContract({
  ...admin,
  summary: 'Approve all open requests to a budget, in transactions of some hundred.',
  rest: { method: 'POST', path: `${BASE}approve-all/`, status: 202 },
  input: z.object({ ...customerUuid, ...policyUuid }),
  output: approval,
  errors: [requestsNotFound, notAllApproved],
});

const declining = {
  disassociateFromOrg: z.boolean().default(false).describe('Unlink the learners from the customer.'),
  declineReason: z.string().max(255).nullish().describe('Why; the learner is told.'),
};
const declined = z.object({
  declined: uuids().describe('Requests that were declined.'),
  nonDeclinable: uuids().describe('Requests that were not.'),
});

export const decline = defineContract({
  ...admin,
  summary: 'Decline requests; all of them must be open.',
  rest: { method: 'POST', path: `${BASE}decline/` },
  input: z.object({
    ...customerUuid,
    subsidyRequestUuid: uuid().optional().describe('One request.'),
    subsidyRequestUuids: requestUuids().optional().describe('Several requests; instead of one.'),
    ...declining,
  }),
  output: declined,
  errors: [notAllDeclined],
});

export const declineAll = defineContract({
  ...admin,
  summary: 'Decline all open requests to a budget.',
  rest: { method: 'POST', path: `${BASE}decline-all/`, status: 202 },
  input: z.object({ ...customerUuid, ...policyUuid, ...declining }),
  output: declined,
  errors: [requestsNotFound],
});

const reminded = z.object({ reminded: uuids().describe('Requests whose learners were reminded.') });
const cancelled = z.object({ cancelled: uuids().describe('Requests that were cancelled.') });
const derived = {
  learnerRequestState: z.string().min(1).max(255).optional().describe('Only in this state for administrators.'),
};

export const remind = defineContract({
  ...admin,
  summary: 'Remind learners of approved requests.',
  rest: { method: 'POST', path: `${BASE}remind/` },
  input: z.object({
    ...customerUuid,
    learnerCreditRequestUuid: uuid().optional().describe('One request.'),
    learnerCreditRequestUuids: requestUuids().optional().describe('Several requests; instead of one.'),
  }),
  output: reminded,
  errors: [requestsNotFound, notAllReminded],
});

export const remindAll = defineContract({
  ...admin,
  summary: 'Remind the learners of all approved requests to a budget.',
  rest: { method: 'POST', path: `${BASE}remind-all/`, status: 202 },
  input: z.object({ ...customerUuid, ...policyUuid, ...derived }),
  output: reminded,
  errors: [requestsNotFound],
});

export const cancel = defineContract({
  ...admin,
  summary: 'Cancel an approved request with its assignment.',
  rest: { method: 'POST', path: `${BASE}cancel/` },
  input: z.object({ ...customerUuid, requestUuid: uuid().describe('Request.') }),
  output: learnerCreditRequest,
  errors: [notCancelable],
});

export const bulkCancel = defineContract({
  ...admin,
  summary: 'Cancel approved requests with their assignments.',
  rest: { method: 'POST', path: `${BASE}bulk-cancel/`, status: 202 },
  input: z.object({ ...customerUuid, learnerCreditRequestUuids: requestUuids().describe('Requests.') }),
  output: cancelled,
  errors: [requestsNotFound, notAllCancelled],
});

export const cancelAll = defineContract({
  ...admin,
  summary: 'Cancel all approved requests to a budget with their assignments.',
  rest: { method: 'POST', path: `${BASE}cancel-all/`, status: 202 },
  input: z.object({ ...customerUuid, ...policyUuid, ...derived }),
  output: cancelled,
  errors: [requestsNotFound, notAllCancelled],
});
