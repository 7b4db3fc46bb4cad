import type { ActionType, LearnerState, State } from './contract.ts';
import type { AssignmentRow } from './store.ts';

/** States from which an administrator’s allocation starts over. */
export const reallocatable: ReadonlySet<State> = new Set<State>(['cancelled', 'errored', 'expired', 'reversed']);
/** States that an administrator can end. */
export const cancelable: readonly State[] = ['allocated', 'errored'];

export const DAYS_TO_EXPIRE = 90;
const DAY_MS = 86_400_000;

/**
 * The class of a row: a refinement of state and learner state, in the order of R-ASG-33. The database computes the
 * same from the same columns; here it is predicted, to keep the counters in the transaction of a change.
 */
export const classes = [
  { state: 'allocated', learnerState: 'notifying' },
  { state: 'allocated', learnerState: 'waiting' },
  { state: 'expired', learnerState: 'expired' },
  { state: 'allocated', learnerState: 'failed' },
  { state: 'errored', learnerState: 'failed' },
  { state: 'accepted', learnerState: null },
  { state: 'cancelled', learnerState: null },
  { state: 'reversed', learnerState: null },
] as const satisfies readonly { state: State; learnerState: LearnerState | null }[];

interface ClassFacts {
  readonly state: State;
  readonly notifiedAt: Date | null;
  readonly notifyErroredAt: Date | null;
}

/** R-ASG-32, of the time since the last allocation. */
export function classOf({ state, notifiedAt, notifyErroredAt }: ClassFacts): number {
  const learnerState = notifiedAt ? 'waiting' : notifyErroredAt ? 'failed' : 'notifying';
  return classes.findIndex(
    (each) => each.state === state && (state !== 'allocated' || each.learnerState === learnerState),
  );
}

export const learnerStateOf = (statusClass: number): LearnerState | null => classes[statusClass]?.learnerState ?? null;

/** Classes that are in one of the states and in one of the learner states; without a list every one is. */
export const classesIn = (states?: readonly State[], learnerStates?: readonly string[]): number[] =>
  classes.flatMap(({ state, learnerState }, at) =>
    (states === undefined || states.includes(state)) &&
    (learnerStates === undefined || (learnerState !== null && learnerStates.includes(learnerState)))
      ? [at]
      : [],
  );

/** R-ASG-31: whichever came later; at the same instant it is neither. */
export function recentAction(row: { readonly allocatedAt: Date; readonly remindedAt: Date | null }) {
  const { allocatedAt, remindedAt } = row;
  if (remindedAt === null || remindedAt < allocatedAt)
    return { actionType: 'assigned' as const, timestamp: allocatedAt };
  if (remindedAt > allocatedAt) return { actionType: 'reminded' as const, timestamp: remindedAt };
  return { actionType: null, timestamp: null };
}

/** R-ASG-50: the first of the dates that end an assignment; of equal ones the one that comes first here. */
export function earliestExpiration(facts: {
  readonly subsidyExpiration: Date | null;
  readonly enrollBy: Date | null;
  readonly allocatedAt: Date;
}) {
  const dates = [
    { reason: 'SUBSIDY_EXPIRED' as const, date: facts.subsidyExpiration },
    { reason: 'ENROLLMENT_DATE_PASSED' as const, date: facts.enrollBy },
    { reason: 'NINETY_DAYS_PASSED' as const, date: new Date(facts.allocatedAt.getTime() + DAYS_TO_EXPIRE * DAY_MS) },
  ].flatMap(({ reason, date }) => (date === null ? [] : [{ reason, date }]));
  return dates.reduce((first, each) => (each.date < first.date ? each : first));
}

interface AcknowledgedFacts {
  readonly state: State;
  readonly actions: readonly { readonly actionType: ActionType; readonly completedAt: Date | null }[];
}

const lastCompleted = ({ actions }: AcknowledgedFacts, type: ActionType): Date | null =>
  actions.reduce<Date | null>(
    (last, { actionType, completedAt }) =>
      actionType === type && completedAt !== null && (last === null || completedAt > last) ? completedAt : last,
    null,
  );

/**
 * R-ASG-36 and R-ASG-41 with one comparison for reading and writing: an end counts as seen from its own instant on, also
 * when no mail has told of it yet.
 */
export function isAcknowledged(facts: AcknowledgedFacts & { readonly endedAt: Date | null }): boolean | null {
  if (facts.state !== 'expired' && facts.state !== 'cancelled') return null;
  const acknowledged = lastCompleted(facts, `${facts.state}_acknowledged`);
  const ended = facts.endedAt ?? lastCompleted(facts, facts.state);
  return acknowledged !== null && (ended === null || acknowledged >= ended);
}

/** Whether the learner has seen one action; null for kinds that nobody acknowledges. */
export function isActionAcknowledged(
  { actionType, completedAt }: { readonly actionType: string; readonly completedAt: Date | null },
  facts: AcknowledgedFacts,
): boolean | null {
  if (actionType !== 'expired' && actionType !== 'cancelled') return null;
  const acknowledged = lastCompleted(facts, `${actionType}_acknowledged`);
  return acknowledged !== null && completedAt !== null && acknowledged >= completedAt;
}

/** Terms of a search, lower case: words between spaces and commas, each of which must be found. */
export const searchTerms = (search: string): string[] =>
  search
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((term) => term !== '');

const RETIRED = /^retired_user/;
/** Whether the address was forgotten: nobody is behind it any more. */
export const isRetired = (email: string): boolean => RETIRED.test(email);

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
