import { appendToOutbox, isUniqueViolation, type Transaction, transaction } from '@enterprise-access/db';
import { type Actor, isPermitted, missing, visibleCustomers } from '../kernel/actor.ts';
import type { Input, Output } from '../kernel/contract.ts';
import { notFound } from '../kernel/errors.ts';
import { newUuid } from '../kernel/ids.ts';
import { jobMessage } from '../kernel/jobs/job.ts';
import { orderTerms } from '../kernel/order.ts';
import { assertPageExists, pageOf, sliceOf } from '../kernel/page.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { find as findPolicy } from '../policies/index.ts';
import { findUser } from '../users/index.ts';
import * as contract from './contract.ts';
import { completeCourse, tellAdmins } from './job-contracts.ts';
import * as lists from './lists.ts';
import { permissions } from './permissions.ts';
import { open, reusable } from './rules.ts';
import type { RequestRow } from './store.ts';
import * as store from './store.ts';
import { listedOf, viewsOf } from './view.ts';

type Deps = Pick<Runtime, 'db' | 'clock'>;

export const requestNotFound = () => notFound({}, { message: 'No LearnerCreditRequest matches the given query.' });

/** R-REQ-80: customers that the caller administers, all for staff; and the caller's own requests. */
const visibilityOf = (actor: Actor): lists.Visibility => ({
  customers: actor.isStaff ? 'all' : (visibleCustomers(actor, permissions.has_admin_access) ?? []),
  userId: actor.userId,
});

export async function list(
  { db }: Deps,
  actor: Actor,
  input: Input<typeof contract.list>,
): Promise<Output<typeof contract.list>> {
  const visibility = visibilityOf(actor);
  const terms = orderTerms(input.ordering, contract.requestOrders, { field: 'created', direction: 'desc' });
  const [rows, counts] = await Promise.all([
    lists.pageOf(db, input, visibility, terms, sliceOf(input)),
    lists.countsBy(db, 'learner_request_state', input, visibility),
  ]);
  assertPageExists(input, rows);
  const count = counts.reduce((sum, each) => sum + each.count, 0);
  return {
    ...pageOf(input, await listedOf(db, rows), count),
    learnerRequestStateCounts: counts.flatMap(({ value, count: n }) =>
      value === null
        ? []
        : [{ learnerRequestState: value as (typeof contract.learnerRequestStates)[number], count: n }],
    ),
  };
}

export async function get({ db }: Deps, actor: Actor, uuid: string): Promise<contract.LearnerCreditRequest> {
  const row = await store.find(db, uuid);
  const { customers, userId } = visibilityOf(actor);
  const isVisible =
    row !== undefined &&
    (customers === 'all' || row.userId === userId || customers.includes(row.enterpriseCustomerUuid));
  const [view] = isVisible ? await viewsOf(db, [row]) : [];
  if (!view) throw requestNotFound();
  return view;
}

export async function overview(
  { db }: Deps,
  actor: Actor,
  input: Input<typeof contract.overview>,
): Promise<Output<typeof contract.overview>> {
  const visibility = { customers: [input.enterpriseCustomerUuid], userId: actor.userId };
  const counts = await lists.countsBy(db, 'state', input, visibility);
  return counts.map(({ value, count }) => ({ state: value as contract.State, count }));
}

const alreadyRequested = (courseId: string | null, policyUuid: string, cause?: unknown) =>
  contract.alreadyRequested(
    {},
    {
      message: `You already have an active learner credit request for course ${courseId ?? 'None'} under policy UUID: ${policyUuid}.`,
      ...(cause === undefined ? {} : { cause }),
    },
  );

/** R-REQ-30 to R-REQ-38. */
export async function create(
  deps: Deps,
  actor: Actor,
  input: Input<typeof contract.create>,
): Promise<contract.LearnerCreditRequest> {
  const { policyUuid, courseId } = input;
  const [policy, [user]] = await Promise.all([findPolicy(deps.db, policyUuid), findUser(deps.db, actor.username)]);
  if (!policy) throw contract.notRequestable({ policyUuid }, { message: `Invalid policy_uuid: ${policyUuid}.` });
  const configUuid = policy.learnerCreditRequestConfigUuid;
  if (configUuid === null) {
    throw contract.notRequestable(
      { policyUuid },
      { message: `Browse & Request is not active for policy UUID: ${policyUuid}.` },
    );
  }
  const { enterpriseCustomerUuid } = policy;
  // The policy can be that of another customer than the one that the caller named.
  if (!isPermitted(actor, permissions.has_learner_or_admin_access, enterpriseCustomerUuid))
    throw missing(permissions.has_learner_or_admin_access, 'Missing');
  const wanted = {
    enterpriseCustomerUuid,
    policyUuid,
    learnerCreditRequestConfigUuid: configUuid,
    userId: actor.userId,
    lmsUserId: actor.lmsUserId,
    userEmail: user?.email ?? '',
    courseId,
    coursePriceCents: input.coursePrice,
  };
  try {
    return await transaction(deps.db, async (trx) => {
      const at = deps.clock();
      const earlier = await store.holdOfLearner(trx, wanted);
      if (earlier.some(({ state }) => open.includes(state))) throw alreadyRequested(courseId, policyUuid);
      const before = earlier.find(
        (row) => row.learnerCreditRequestConfigUuid === configUuid && reusable.includes(row.state),
      );
      const after = before ? again(before, wanted) : made(wanted, at);
      const action = { recentAction: 'requested', status: 'requested' } as const;
      const rows = await store.write(trx, [{ before: before ?? null, after, action }], at);
      await announce(trx, after, at);
      const [view] = await viewsOf(trx, rows);
      if (!view) throw requestNotFound();
      // A new request is answered as it was before its first action.
      return before ? view : { ...view, latestAction: null };
    });
  } catch (error) {
    if (isUniqueViolation(error)) throw alreadyRequested(courseId, policyUuid, error);
    throw error;
  }
}

type Wanted = Pick<
  RequestRow,
  | 'enterpriseCustomerUuid'
  | 'policyUuid'
  | 'learnerCreditRequestConfigUuid'
  | 'userId'
  | 'lmsUserId'
  | 'userEmail'
  | 'courseId'
  | 'coursePriceCents'
>;

const made = (wanted: Wanted, at: Date): RequestRow => ({
  ...wanted,
  uuid: newUuid(),
  courseTitle: null,
  coursePartners: null,
  state: 'requested',
  ...undecided,
  latestActionUuid: null,
  latestActionType: null,
  latestActionStatus: null,
  latestActionError: null,
  latestActionAt: null,
  created: at,
  modified: at,
});

const undecided = {
  assignmentUuid: null,
  reviewerUserId: null,
  reviewerLmsUserId: null,
  reviewedAt: null,
  declineReason: null,
} as const;

const again = (before: RequestRow, { coursePriceCents, lmsUserId, userEmail }: Wanted): RequestRow => ({
  ...before,
  ...undecided,
  state: 'requested',
  coursePriceCents,
  lmsUserId,
  userEmail,
});

/** Mail to the administrators, and the title of the course. */
async function announce(trx: Transaction, row: RequestRow, at: Date): Promise<void> {
  const { uuid: requestUuid, enterpriseCustomerUuid } = row;
  const occasion = at.toISOString();
  await appendToOutbox(trx, at, [
    jobMessage(tellAdmins, { requestUuid, occasion }, enterpriseCustomerUuid),
    ...(row.courseTitle === null && row.courseId !== null
      ? [jobMessage(completeCourse, { requestUuid }, enterpriseCustomerUuid)]
      : []),
  ]);
}
