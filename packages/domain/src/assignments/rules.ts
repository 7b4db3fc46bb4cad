import type { ActionType, LearnerState, State } from './contract.ts';
import type { AssignmentRow } from './store.ts';

/** States from which an administrator’s allocation starts over. */
export const reallocatable: ReadonlySet<State> = new Set<State>(['cancelled', 'errored', 'expired', 'reversed']);
/** States that an administrator can end. */
export const cancelable: readonly State[] = ['allocated', 'errored'];

export const DAYS_TO_EXPIRE = 90;
const DAY_MS = 86_400_000;

/**
 * Status classes: a refinement of state and learner state, in the order of R-ASG-33. The database computes the class
 * from the same columns; the code predicts it to update the counters in the transaction of a change.
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

/** R-ASG-32, since the last allocation. */
export function classOf({ state, notifiedAt, notifyErroredAt }: ClassFacts): number {
  const learnerState = notifiedAt ? 'waiting' : notifyErroredAt ? 'failed' : 'notifying';
  return classes.findIndex(
    (each) => each.state === state && (state !== 'allocated' || each.learnerState === learnerState),
  );
}

export const learnerStateOf = (statusClass: number): LearnerState | null => classes[statusClass]?.learnerState ?? null;

/** Classes that match one of the states and one of the learner states; a missing list matches all. */
export const classesIn = (states?: readonly State[], learnerStates?: readonly string[]): number[] =>
  classes.flatMap(({ state, learnerState }, at) =>
    (states === undefined || states.includes(state)) &&
    (learnerStates === undefined || (learnerState !== null && learnerStates.includes(learnerState)))
      ? [at]
      : [],
  );

/** R-ASG-31: the later one; null if both are at the same time. */
export function recentAction(row: { readonly allocatedAt: Date; readonly remindedAt: Date | null }) {
  const { allocatedAt, remindedAt } = row;
  if (remindedAt === null || remindedAt < allocatedAt)
    return { actionType: 'assigned' as const, timestamp: allocatedAt };
  if (remindedAt > allocatedAt) return { actionType: 'reminded' as const, timestamp: remindedAt };
  return { actionType: null, timestamp: null };
}

/** R-ASG-50: the earliest date that ends an assignment; for equal dates the order of this list decides. */
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
 * R-ASG-36 and R-ASG-41: whether the learner has acknowledged the end of an assignment. Used for reading and writing;
 * an end can be acknowledged before its mail is sent.
 */
export function isAcknowledged(facts: AcknowledgedFacts & { readonly endedAt: Date | null }): boolean | null {
  if (facts.state !== 'expired' && facts.state !== 'cancelled') return null;
  const acknowledged = lastCompleted(facts, `${facts.state}_acknowledged`);
  const ended = facts.endedAt ?? lastCompleted(facts, facts.state);
  return acknowledged !== null && (ended === null || acknowledged >= ended);
}

/** Whether the learner has acknowledged an action; null for kinds that cannot be acknowledged. */
export function isActionAcknowledged(
  { actionType, completedAt }: { readonly actionType: string; readonly completedAt: Date | null },
  facts: AcknowledgedFacts,
): boolean | null {
  if (actionType !== 'expired' && actionType !== 'cancelled') return null;
  const acknowledged = lastCompleted(facts, `${actionType}_acknowledged`);
  return acknowledged !== null && completedAt !== null && acknowledged >= completedAt;
}

/** Splits a search text into lower-case words at spaces and commas; all of them must match. */
export const searchTerms = (search: string): string[] =>
  search
    .normalize('NFC')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((term) => term !== '');

const RETIRED = /^retired_user/;
/** Whether the address is the placeholder of a removed address. */
export const isRetired = (email: string): boolean => RETIRED.test(email);

/** How closely an assignment matches the requested content (R-ASG-25); lower is better. */
function fitOf(row: AssignmentRow, contentKey: string, courseKey: string | null): number | null {
  if (row.contentKey === contentKey) return 0;
  if (row.parentContentKey === contentKey) return 1;
  return courseKey !== null && row.contentKey === courseKey ? 2 : null;
}

/** Allocated assignments come before ended ones. */
const readiness = ({ state }: AssignmentRow): number => (state === 'allocated' ? 0 : state === 'accepted' ? 1 : 2);

/**
 * The learner's assignment for a course or run. Prefers redeemable ones, then the closest match, then the latest;
 * rows must be sorted latest first.
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

/** R-ASG-27: why an assignment in this state cannot be redeemed; null if it can. */
export function stateRefusal(row: Pick<AssignmentRow, 'state' | 'redemptionUuid'> | null) {
  if (row?.state === 'allocated' && row.redemptionUuid === null) return null;
  return refusals[row?.state ?? 'accepted'];
}

const NOT_ASSIGNED = 'reason_learner_not_assigned_content';
const refusals = {
  // A redemption of it is pending.
  allocated: NOT_ASSIGNED,
  accepted: NOT_ASSIGNED,
  cancelled: 'reason_learner_assignment_cancelled',
  errored: 'reason_learner_assignment_failed',
  expired: 'reason_learner_assignment_expired',
  reversed: 'reason_learner_assignment_reversed',
} as const satisfies Record<State, string>;

/** R-POL-14, both ends inclusive. Ratios have two decimals, so they are compared as integer hundredths. */
export function isAcceptablePrice(
  requestedCents: number,
  canonicalCents: number,
  lower: number,
  upper: number,
): boolean {
  const [low, high] = [Math.round(lower * 100), Math.round(upper * 100)];
  const requested = requestedCents * 100;
  return requested >= low * canonicalCents && requested <= high * canonicalCents;
}
