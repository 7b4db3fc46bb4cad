import { isAcceptablePrice } from '../assignments/rules.ts';
import type { ActionStatus, ErrorReason, RecentAction, State } from './contract.ts';

/** States in which a request blocks another one for the same course (R-REQ-34). */
export const open: readonly State[] = ['requested', 'approved', 'accepted', 'error'];
/** States in which a row is used again for a new request (R-REQ-36). */
export const reusable: readonly State[] = ['cancelled', 'expired', 'reversed'];
export const approvable: readonly State[] = ['requested', 'error'];

/** What the derived state follows from. */
export interface Standing {
  readonly state: State;
  readonly latestActionType: RecentAction | null;
  readonly latestActionError: ErrorReason | null;
}

/** R-REQ-90: the state for administrators; the database computes the same. */
export function learnerRequestState({ state, latestActionType, latestActionError }: Standing): string | null {
  if (latestActionError !== null) return 'failed';
  if (latestActionType === 'approved' || latestActionType === 'reminded') return 'waiting';
  if (state === 'requested' || state === 'declined' || state === 'cancelled' || state === 'error') return state;
  return state === 'approved' ? 'waiting' : null;
}

/** What decides about the approval of any request of a budget. */
export interface BudgetFacts {
  readonly takesRequests: boolean;
  readonly isActive: boolean;
  readonly isSubsidyActive: boolean;
}

/** R-REQ-44: why no request of the budget can be approved; the first that applies. */
export function budgetRefusal({ takesRequests, isActive, isSubsidyActive }: BudgetFacts): string | null {
  if (!takesRequests) return 'This policy does not support BNR.';
  if (!isActive) return 'policy_expired';
  return isSubsidyActive ? null : 'subsidy_expired';
}

/** What decides about one request. */
export interface RequestFacts {
  readonly inCatalog: boolean;
  /** Null if the learner's request named no price. */
  readonly requestedCents: number | null;
  /** Null if the catalog has no price. */
  readonly canonicalCents: number | null;
  readonly lowerRatio: number;
  readonly upperRatio: number;
}

/** R-REQ-45: why one request cannot be approved. An unknown price is a wrong one. */
export function requestRefusal(facts: RequestFacts): 'content_not_in_catalog' | 'PriceValidationError' | null {
  const { inCatalog, requestedCents, canonicalCents, lowerRatio, upperRatio } = facts;
  if (!inCatalog) return 'content_not_in_catalog';
  const isRight =
    requestedCents !== null &&
    canonicalCents !== null &&
    requestedCents >= 0 &&
    isAcceptablePrice(requestedCents, canonicalCents, lowerRatio, upperRatio);
  return isRight ? null : 'PriceValidationError';
}

/** What a request becomes with its assignment; null if it stays as it is. */
export interface Following {
  readonly state: State | null;
  readonly recentAction: RecentAction;
  readonly status: ActionStatus;
  readonly errorReason: ErrorReason | null;
}

const moves: Readonly<Record<string, { readonly from: readonly State[]; readonly to: Following }>> = {
  accepted: {
    from: ['approved', 'error'],
    to: { state: 'accepted', recentAction: 'accepted', status: 'accepted', errorReason: null },
  },
  cancelled: {
    from: ['approved', 'error'],
    to: { state: 'cancelled', recentAction: 'cancelled', status: 'cancelled', errorReason: null },
  },
  expired: {
    from: ['approved', 'error'],
    to: { state: 'expired', recentAction: 'expired', status: 'expired', errorReason: null },
  },
  reversed: {
    from: ['accepted'],
    to: { state: 'reversed', recentAction: 'reversed', status: 'reversed', errorReason: null },
  },
  // The learner can be reminded, or the administrator cancels it; the request stays approved.
  errored: {
    from: ['approved', 'error'],
    to: { state: null, recentAction: 'accepted', status: 'approved', errorReason: 'failed_redemption' },
  },
};

/** R-REQ-91: how a request follows its assignment. */
export function following(state: State, assignmentState: string): Following | null {
  const move = Object.hasOwn(moves, assignmentState) ? moves[assignmentState] : undefined;
  return move?.from.includes(state) ? move.to : null;
}

/** Words of a search, separated by blanks; all of them must match. */
export const searchWords = (search: string): string[] => search.split(/\s+/).filter(Boolean);

/** Known words of a comma-separated list; null without a filter. Unknown words match nothing (R-REQ-81). */
export function wordsIn<T extends string>(text: string | undefined, known: readonly T[]): readonly T[] | null {
  const words = (text ?? '').split(',').filter(Boolean);
  return words.length === 0 ? null : known.filter((word) => words.includes(word));
}
