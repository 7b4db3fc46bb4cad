import type { Connection } from '@enterprise-access/db';
import type { LearnerCreditRequest, ListedRequest, learnerRequestStates } from './contract.ts';
import { learnerRequestState } from './rules.ts';
import { type ActionRow, actionsOf, type RequestRow } from './store.ts';

export const viewOf = (row: RequestRow, action: ActionRow | null): LearnerCreditRequest => ({
  uuid: row.uuid,
  lmsUserId: row.lmsUserId,
  email: row.userEmail,
  courseId: row.courseId,
  courseTitle: row.courseTitle,
  coursePartners: row.coursePartners?.map((partner) => ({ ...partner })) ?? null,
  enterpriseCustomerUuid: row.enterpriseCustomerUuid,
  state: row.state,
  reviewedAt: row.reviewedAt,
  reviewerLmsUserId: row.reviewerLmsUserId,
  declineReason: row.declineReason,
  created: row.created,
  modified: row.modified,
  learnerCreditRequestConfig: row.learnerCreditRequestConfigUuid,
  assignment: row.assignmentUuid,
  coursePrice: row.coursePriceCents,
  latestAction: action && {
    uuid: action.uuid,
    recentAction: action.recentAction,
    status: action.status,
    errorReason: action.errorReason,
    traceback: action.traceback,
    created: action.created,
    modified: action.modified,
  },
});

export async function viewsOf(db: Connection, rows: readonly RequestRow[]): Promise<LearnerCreditRequest[]> {
  const actions = await actionsOf(db, rows);
  return rows.map((row) => viewOf(row, actions.get(row.latestActionUuid ?? '') ?? null));
}

/** Rows of lists, with the state for administrators. */
export async function listedOf(db: Connection, rows: readonly RequestRow[]): Promise<ListedRequest[]> {
  const views = await viewsOf(db, rows);
  return rows.flatMap((row, place) => {
    const view = views[place];
    const derived = learnerRequestState(row) as (typeof learnerRequestStates)[number] | null;
    return view ? [{ ...view, learnerRequestState: derived }] : [];
  });
}
