import type { Transaction } from '@enterprise-access/db';
import type { Settlement, Spend } from '../upstreams/ledger.ts';
import * as configurations from './configurations.ts';
import type { State } from './contract.ts';
import type { AssignmentRow } from './store.ts';
import * as store from './store.ts';

/** How an assignment fits what a learner wants to redeem (R-ASG-25), best first. */
function fitOf(row: AssignmentRow, contentKey: string, courseKey: string | null): number | null {
  if (row.contentKey === contentKey) return 0;
  if (row.parentContentKey === contentKey) return 1;
  return courseKey !== null && row.contentKey === courseKey ? 2 : null;
}

/** What waits for its learner is looked at before what is over. */
const readiness = ({ state }: AssignmentRow): number => (state === 'allocated' ? 0 : state === 'accepted' ? 1 : 2);

/**
 * The learner's assignment for a course or run. Of several it is the one that can be redeemed, then the closest fit, then
 * the latest; rows come latest first.
 */
export function assignmentFor(
  rows: readonly AssignmentRow[],
  contentKey: string,
  courseKey: string | null,
): AssignmentRow | null {
  const fitting = rows.flatMap((row) => {
    const fit = fitOf(row, contentKey, courseKey);
    return fit === null ? [] : [{ row, rank: readiness(row) * 10 + fit }];
  });
  return fitting.toSorted((a, b) => a.rank - b.rank)[0]?.row ?? null;
}

/** R-ASG-27: why an assignment in this state cannot be redeemed; null when it can. */
export function stateRefusal(row: Pick<AssignmentRow, 'state' | 'redemptionUuid'> | null) {
  if (row?.state === 'allocated' && row.redemptionUuid === null) return null;
  return refusals[row?.state ?? 'accepted'];
}

const NOT_ASSIGNED = 'reason_learner_not_assigned_content';
const refusals = {
  // Somebody is redeeming it at this moment.
  allocated: NOT_ASSIGNED,
  accepted: NOT_ASSIGNED,
  cancelled: 'reason_learner_assignment_cancelled',
  errored: 'reason_learner_assignment_failed',
  expired: 'reason_learner_assignment_expired',
  reversed: 'reason_learner_assignment_reversed',
} as const satisfies Record<State, string>;

/** Takes the assignment for a redemption; false when it can no longer be redeemed at this price. */
export const claim = async (trx: Transaction, spend: Spend, assignmentUuid: string): Promise<boolean> =>
  (await trx('assignments')
    .where({ uuid: assignmentUuid, state: 'allocated', price_cents: spend.priceCents })
    .whereNull('redemption_uuid')
    .update({ redemption_uuid: spend.uuid })) === 1;

/** What is written last, because everybody wants those rows. */
export type Rest = () => Promise<void>;
const nothing: Rest = async () => undefined;

/**
 * The end of a redemption is the end of its assignment: accepted, or errored when the learner could not be enrolled. The
 * value moved when the redemption began. The caller runs what is returned at the end of the transaction.
 */
export async function settle(trx: Transaction, spend: Spend, settlement: Settlement, at: Date): Promise<Rest> {
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
  return write(trx, before, after, spend.enterpriseCustomerUuid, at, {
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

/** Words of our own only: what other services say can hold personal data. */
const failureText = (settlement: Settlement): string =>
  settlement.outcome === 'refused'
    ? `The redemption was refused: ${settlement.code}.`
    : 'Another transaction pays for this learner and content already.';

/** The ledger took a transaction back: its assignment is over, and can be allocated again. Safe to repeat. */
export async function reverse(trx: Transaction, transactionUuid: string, at: Date): Promise<Rest> {
  const before = await store.holdByTransaction(trx, transactionUuid);
  if (before?.state !== 'accepted') return nothing;
  const after: AssignmentRow = { ...before, state: 'reversed', reversedAt: at, modified: at };
  const customerUuid = (await configurations.ownerOf(trx, before.assignmentConfigurationUuid)) ?? '';
  return write(trx, before, after, customerUuid, at, {
    row: after,
    actionType: 'reversed',
    metadata: { state_before: before.state, state_after: after.state },
  });
}

async function write(
  trx: Transaction,
  before: AssignmentRow,
  after: AssignmentRow,
  enterpriseCustomerUuid: string,
  at: Date,
  action: store.NewAction,
): Promise<Rest> {
  const changes = [{ before, after }];
  await store.overwriteRows(trx, [after]);
  await store.rememberRows(trx, changes, { userId: null, at });
  const isRedemption = action.actionType === 'redeemed';
  await store.insertActions(trx, [action], {
    ...store.SYSTEM,
    ...(isRedemption
      ? { lmsUserId: after.lmsUserId, type: 'learner' as const, source: 'api' as const }
      : { source: 'signal' as const }),
    enterpriseCustomerUuid,
    at,
  });
  return () => store.writeCounts(trx, store.countsOf(changes));
}
