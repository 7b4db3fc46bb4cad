import type { Transaction } from '@enterprise-access/db';
import type { Settlement, Spend } from '../kernel/ports/ledger.ts';
import type { Runtime } from '../kernel/runtime.ts';
import type { AssignmentRow } from './store.ts';
import * as store from './store.ts';
import { assignments } from './tables.ts';

type Deps = Pick<Runtime, 'followAssignments'>;

/** Claims the assignment for a redemption; false if it can no longer be redeemed at this price. */
export const claim = async (trx: Transaction, spend: Spend, assignmentUuid: string): Promise<boolean> =>
  (await trx(assignments.table)
    .where({ uuid: assignmentUuid, state: 'allocated', price_cents: spend.priceCents })
    .whereNull('redemption_uuid')
    .update({ redemption_uuid: spend.uuid })) === 1;

/** Updates the counters. The caller runs it as the last step of its transaction, because those rows are contended. */
export type UpdateCounts = () => Promise<void>;
const nothing: UpdateCounts = async () => undefined;

/**
 * Ends the assignment of a redemption: accepted, or errored if the learner could not be enrolled. Its value was moved
 * when the redemption began. The caller runs the returned function at the end of the transaction.
 */
export async function endRedeemed(
  deps: Deps,
  trx: Transaction,
  spend: Spend,
  settlement: Settlement,
  at: Date,
): Promise<UpdateCounts> {
  if (spend.assignmentUuid === null) return nothing;
  const before = await store.holdOne(trx, spend.assignmentUuid);
  if (before?.redemptionUuid !== spend.uuid) return nothing;
  const isCommitted = settlement.outcome === 'committed';
  const common = { redemptionUuid: null, modified: at } as const;
  const after: AssignmentRow = isCommitted
    ? {
        ...before,
        ...common,
        state: 'accepted',
        acceptedAt: at,
        erroredAt: null,
        cancelledAt: null,
        expiredAt: null,
        preferredCourseRunKey: spend.contentKey,
        transactionUuid: settlement.transactionUuid,
      }
    : {
        ...before,
        ...common,
        state: 'errored',
        erroredAt: at,
        errorActionType: 'redeemed',
        errorReason: 'enrollment_error',
      };
  return write(deps, trx, before, after, at, {
    row: after,
    actionType: 'redeemed',
    errorReason: isCommitted ? null : 'enrollment_error',
    traceback: isCommitted ? null : failureText(settlement),
    metadata: {
      state_before: before.state,
      state_after: after.state,
      idempotency_key: spend.idempotencyKey,
      policy_uuid: spend.policyUuid,
    },
  });
}

/** Our own message only: messages of other services can contain personal data. */
const failureText = (settlement: Settlement): string =>
  settlement.outcome === 'refused'
    ? `The redemption was refused: ${settlement.code}.`
    : 'Another transaction pays for this learner and content already.';

/** Sets the assignment of a reversed transaction to reversed; it can be allocated again. Idempotent. */
export async function reverse(deps: Deps, trx: Transaction, transactionUuid: string, at: Date): Promise<UpdateCounts> {
  const before = await store.holdByTransaction(trx, transactionUuid);
  if (before?.state !== 'accepted') return nothing;
  const after: AssignmentRow = { ...before, state: 'reversed', reversedAt: at, modified: at };
  return write(deps, trx, before, after, at, {
    row: after,
    actionType: 'reversed',
    metadata: { state_before: before.state, state_after: after.state },
  });
}

async function write(
  deps: Deps,
  trx: Transaction,
  before: AssignmentRow,
  after: AssignmentRow,
  at: Date,
  action: store.NewAction,
): Promise<UpdateCounts> {
  const changes = [{ before, after, note: action.actionType }];
  await store.overwriteRows(trx, [after]);
  store.rememberRows(trx, changes);
  const isRedemption = action.actionType === 'redeemed';
  await store.insertActions(trx, [action], {
    ...store.SYSTEM,
    ...(isRedemption
      ? { lmsUserId: after.lmsUserId, type: 'learner' as const, source: 'api' as const }
      : { source: 'signal' as const }),
    at,
  });
  const { uuid: assignmentUuid, enterpriseCustomerUuid } = after;
  const change = { assignmentUuid, enterpriseCustomerUuid, was: before.state, is: after.state, at, admin: null };
  await deps.followAssignments(trx, [change]);
  return () => store.writeCounts(trx, store.countsOf(changes));
}
