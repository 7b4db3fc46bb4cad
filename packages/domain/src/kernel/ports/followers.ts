import type { Transaction } from '@enterprise-access/db';

/** A change of an assignment's state, or a redemption of it that failed. */
export interface AssignmentChange {
  readonly assignmentUuid: string;
  readonly enterpriseCustomerUuid: string;
  readonly was: string;
  readonly is: string;
  readonly at: Date;
  /** The administrator who made the change; null for learners and jobs. */
  readonly admin: { readonly userId: number | null; readonly lmsUserId: number | null } | null;
}

/**
 * Moves what depends on assignments, in the transaction that changes them: after the rows of the assignments, before
 * budgets and counters. Returns the assignments whose learners the follower tells itself.
 */
export type FollowAssignments = (
  trx: Transaction,
  changes: readonly AssignmentChange[],
) => Promise<ReadonlySet<string>>;
