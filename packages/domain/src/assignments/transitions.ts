import type { Transaction } from '@enterprise-access/db';
import type { AssignmentChange } from '../kernel/ports/followers.ts';
import type { Runtime } from '../kernel/runtime.ts';
import { type ConfigurationRow, deallocateBudget } from '../policies/index.ts';
import type { ActionType, ErrorReason } from './contract.ts';
import type { AssignmentRow } from './store.ts';
import * as store from './store.ts';

/** A state transition of a row with its action. */
export interface Transition {
  readonly before: AssignmentRow;
  readonly changes: Partial<AssignmentRow>;
  /** What was asked for, where nothing else says it. */
  readonly note?: string;
  readonly action?: {
    readonly type: ActionType;
    readonly errorReason?: ErrorReason;
    readonly traceback?: string;
    readonly metadata?: Readonly<Record<string, unknown>>;
  };
}

/** Cents that an assignment reserves: its price while it is allocated and has no pending redemption. */
export const heldCents = ({ state, redemptionUuid, priceCents }: AssignmentRow): number =>
  state === 'allocated' && redemptionUuid === null ? priceCents : 0;

type Deps = Pick<Runtime, 'ledger' | 'followAssignments'>;
type Budgets = Pick<ConfigurationRow, 'subsidyAccessPolicy' | 'subsidyUuid'>;

/**
 * Applies transitions to rows that the caller has locked, in the caller's transaction: rows, history, actions,
 * reserved value, counters. Not for assignments with a pending redemption. Returns the assignments whose learners are
 * told by another slice.
 */
export async function transition(
  trx: Transaction,
  deps: Deps,
  budgets: Budgets,
  transitions: readonly Transition[],
  by: store.ActionActor & { readonly at: Date },
): Promise<ReadonlySet<string>> {
  const changes = transitions.map(({ before, changes: each, action, note }) => ({
    before,
    after: { ...before, ...each, modified: by.at },
    note: action?.type ?? note ?? null,
  }));
  await store.overwriteRows(
    trx,
    changes.map(({ after }) => after),
  );
  store.rememberRows(trx, changes);
  const rows = changes.map(({ after }) => after);
  await store.insertActions(
    trx,
    transitions.flatMap(({ action }, at) => {
      const row = rows[at];
      return action && row ? [{ ...action, row, actionType: action.type }] : [];
    }),
    by,
  );
  const followed = await deps.followAssignments(trx, followedChanges(changes, by));
  const released = changes.reduce((sum, { before, after }) => sum + heldCents(before) - heldCents(after), 0);
  await release(trx, deps, budgets, released);
  await store.writeCounts(trx, store.countsOf(changes));
  return followed;
}

/** Changes of the state, as slices above see them. */
const followedChanges = (
  changes: readonly store.RowChange[],
  by: store.ActionActor & { readonly at: Date },
): AssignmentChange[] =>
  changes.flatMap(({ before, after }) =>
    before === null || before.state === after.state
      ? []
      : [
          {
            assignmentUuid: after.uuid,
            enterpriseCustomerUuid: after.enterpriseCustomerUuid,
            was: before.state,
            is: after.state,
            at: by.at,
            admin: by.type === 'admin' ? { userId: by.userId, lmsUserId: by.lmsUserId } : null,
          },
        ],
  );

async function release(trx: Transaction, deps: Deps, budgets: Budgets, cents: number): Promise<void> {
  const { subsidyAccessPolicy: policyUuid, subsidyUuid } = budgets;
  if (cents === 0 || policyUuid === null || subsidyUuid === null) return;
  await deps.ledger.release(trx, subsidyUuid, cents);
  await deallocateBudget(trx, policyUuid, cents);
}
